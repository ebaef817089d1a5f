/*
 * How many bytes does this processor need to decide about an instruction, and is it one? (Intel SDM vol. 2, 2.3.11; vol. 3, 6.15)
 *
 *     lengths 32|16 < STRINGS > RESULTS
 *
 * Each string is 16 bytes; each result two: the least number of bytes the processor asked for, and the exception that came
 * then (6 is #UD; 1, the single step, is an instruction done). The first n bytes of a string, n = 1, 2, ..., are laid against
 * an unmapped page and started under single step. While the fault is an instruction fetch from that page, more is needed.
 *
 * Every attempt ends in a signal, and the handler starts the next by changing the context it returns to. Nothing can do
 * harm: data segments are null, the stack segment has one unmapped byte, registers are no selectors, and of system calls
 * (INT 80h is among the strings) a filter lets through only the way out of the handler and the end.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

enum { STRING = 16, MOST = 15, PAGE = 4096, HALF = 0x8000, TRAP_FLAG = 0x100, FETCH = 0x10, PAGE_FAULT = 14 };
enum { STACK_ENTRY = 0, CODE_ENTRY = 1 };
#define LDT_SELECTOR(entry) ((entry) << 3 | 7)

static unsigned char *strings, *results;
static size_t count, at;
static int length, code16;
static unsigned char *page;                /* the one that can be executed; nothing is mapped behind it */
static unsigned long flat_code;

/* No C library from here on: its thread pointer, GS, is null while the strings run. */
static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}

static void finish(void) {
  size_t done = 0;
  while (done < count * 2) {
    long written = system_call(SYS_write, 1, (long)(results + done), (long)(count * 2 - done));
    if (written <= 0) system_call(SYS_exit_group, 1, 0, 0);
    done += (size_t)written;
  }
  system_call(SYS_exit_group, 0, 0, 0);
}

static unsigned long start_offset(void) {
  return (code16 ? HALF : (unsigned long)page + PAGE) - (unsigned long)length;
}

/* Lay the first bytes against the end of the page, and make the context one that runs them. */
static void start(greg_t *registers) {
  unsigned char *to = page + PAGE - length;
  const unsigned char *from = strings + at * STRING;
  for (int i = 0; i < length; i++) to[i] = from[i];
  for (int r = REG_EDI; r <= REG_EAX; r++) registers[r] = 0x7000fff3 + (r << 16); /* unmapped, and no selector */
  registers[REG_ESP] = registers[REG_UESP] = 0x7200fff3;
  registers[REG_DS] = registers[REG_ES] = registers[REG_FS] = registers[REG_GS] = 0;
  registers[REG_SS] = LDT_SELECTOR(STACK_ENTRY);
  registers[REG_CS] = code16 ? LDT_SELECTOR(CODE_ENTRY) : (greg_t)flat_code;
  registers[REG_EIP] = (greg_t)start_offset();
  registers[REG_EFL] = 0x202 | TRAP_FLAG;
}

static void ended(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number;
  (void)info;
  mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
  greg_t *registers = machine->gregs;
  if (length == 0) { /* the signal that begins it all */
    length = 1;
    start(registers);
    return;
  }
  int wants_more = registers[REG_TRAPNO] == PAGE_FAULT && (registers[REG_ERR] & FETCH) &&
                   machine->cr2 == (unsigned long)page + PAGE && (unsigned long)registers[REG_EIP] == start_offset();
  if (wants_more && length < MOST) {
    length++;
  } else {
    results[at * 2] = (unsigned char)(wants_more ? STRING : length);
    results[at * 2 + 1] = (unsigned char)registers[REG_TRAPNO];
    if (++at == count) finish();
    length = 1;
  }
  start(registers);
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void segment(unsigned entry, unsigned base, unsigned limit, int code) {
  struct user_desc descriptor;
  memset(&descriptor, 0, sizeof descriptor);
  descriptor.entry_number = entry;
  descriptor.base_addr = base;
  descriptor.limit = limit;
  descriptor.seg_32bit = !code;
  descriptor.contents = code ? 2 : 0;
  descriptor.useable = 1;
  if (syscall(SYS_modify_ldt, 0x11, &descriptor, sizeof descriptor) != 0) die("modify_ldt");
}

static void filter(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sigreturn, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) die("seccomp");
}

int main(int argc, char **argv) {
  code16 = argc > 1 && strcmp(argv[1], "16") == 0;
  size_t room = 0, size = 0, got;
  do {
    if (size == room && !(strings = realloc(strings, room = room ? room * 2 : 1 << 20))) die("strings");
    size += got = fread(strings + size, 1, room - size, stdin);
  } while (got > 0);
  count = size / STRING;
  if (count == 0) return 0;
  if (!(results = malloc(count * 2))) die("results");

  /* The page lies in the middle of an unmapped range as large as a 16-bit segment. */
  unsigned char *range = mmap(NULL, 4 * HALF, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (range == MAP_FAILED) die("mmap");
  page = range + 2 * HALF - PAGE;
  if (mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) die("mprotect");
  segment(STACK_ENTRY, (unsigned)(unsigned long)range, 0, 0);
  segment(CODE_ENTRY, (unsigned)(unsigned long)(page + PAGE - HALF), 0xffff, 1);
  __asm__("mov %%cs, %0" : "=r"(flat_code));

  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  if (sigaltstack(&stack, NULL) != 0) die("sigaltstack");
  struct sigaction action = {.sa_sigaction = ended, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    if (sigaction(signals[i], &action, NULL) != 0) die("sigaction");
  }
  filter();
  __asm__ volatile("ud2"); /* into the handler, for good */
  return 1;
}
