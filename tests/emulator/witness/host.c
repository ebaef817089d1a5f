/*
 * Executes single instructions on this host's processor, in ring 3, and tells what they did (Intel SDM vol. 2; vol. 3A, ch. 6).
 *
 *     host < CASES > RESULTS
 *
 * The input, in little-endian words: address of the arena; number of pages; their rights (0 none, 1 read, 3 write, 7 execute);
 * number of descriptors and for each four words (0 or 1 for empty or not, base, limit, flags of struct user_desc); the bytes of
 * the arena; number of cases; the cases. A case: address of the code, EIP, 16 bytes of code, EAX ECX EDX EBX ESP EBP ESI EDI,
 * EFLAGS, selectors of ES CS SS DS FS GS, number of windows, and for each its address, its length and its bytes, rounded up to
 * words. A result: the eight registers, EIP, EFLAGS, the six selectors, vector, error code, CR2, and the windows' bytes
 * likewise. At the end come the bytes of the arena once more. Pages to be executed begin full of INT3.
 *
 * The code page is full of INT3, so that every instruction ends in a signal: its own fault or the trap of what comes after
 * it. The handler starts the next case by changing the context it returns to. The arena is mapped a second time, writable,
 * for filling and reading windows whatever the rights of a page.
 *
 * Built for 64 bits it executes what is the same in 64-bit mode: the same cases, with the upper halves of all registers zero.
 * Selectors stay the program's own then, and come back as zeros.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, CODE_BYTES = 16, INT3 = 0xcc, SECONDS = 60 };

static const uint32_t *input;  /* the case under way, then the next one */
static uint32_t *output, *results;
static uint32_t count, at, started;
static uint32_t arena, arena_size;
static unsigned char *alias;

/* What differs between the two: system calls, and how a context keeps what a case keeps in encoding order. */
#ifdef __x86_64__
#define SYS_sigreturn SYS_rt_sigreturn
#define ARCHITECTURE AUDIT_ARCH_X86_64
enum { PROGRAM_COUNTER = REG_RIP };
static const int register_at[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};

static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static void set_selectors(greg_t *registers, const uint32_t *selectors) { (void)registers, (void)selectors; }
static uint32_t selector(const greg_t *registers, int segment) { return (void)registers, (void)segment, 0; }
static uint32_t fault_address(const mcontext_t *machine) { return (uint32_t)machine->gregs[REG_CR2]; }
#else
#define ARCHITECTURE AUDIT_ARCH_I386
enum { PROGRAM_COUNTER = REG_EIP };
static const int register_at[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
static const int selector_at[6] = {REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS};

/* No C library where cases run: its thread pointer, GS, is what a case made of it. */
static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
  return result;
}

static void set_selectors(greg_t *registers, const uint32_t *selectors) {
  for (int i = 0; i < 6; i++) registers[selector_at[i]] = (greg_t)selectors[i];
  registers[REG_UESP] = registers[REG_ESP];
}

static uint32_t selector(const greg_t *registers, int segment) { return (uint32_t)registers[selector_at[segment]] & 0xffff; }
static uint32_t fault_address(const mcontext_t *machine) { return (uint32_t)machine->cr2; }
#endif

static void put_out(const void *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    long written = system_call(SYS_write, 1, (long)((const char *)bytes + done), (long)(size - done));
    if (written <= 0) system_call(SYS_exit_group, 1, 0, 0);
    done += (size_t)written;
  }
}

static void finish(void) {
  put_out(results, (size_t)((char *)output - (char *)results));
  put_out(alias, arena_size);
  system_call(SYS_exit_group, 0, 0, 0);
}

static void copy(void *to, const void *from, size_t size) {
  __asm__ volatile("cld; rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void fill(void *to, int byte, size_t size) {
  __asm__ volatile("cld; rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
}

/* Code may end at the end of its page: what would lie behind it is left out. */
static uint32_t room_for_code(uint32_t offset) {
  uint32_t room = PAGE - (offset & (PAGE - 1));
  return room < CODE_BYTES ? room : CODE_BYTES;
}

/* Words of a case: place, EIP, code, registers, flags, selectors, windows. */
enum { AT_PLACE, AT_EIP, AT_CODE, AT_REGISTERS = 6, AT_EFLAGS = 14, AT_SELECTORS = 15, AT_WINDOWS = 21, AT_WINDOW = 22 };

static void start(greg_t *registers) {
  uint32_t place = input[AT_PLACE] - arena;
  copy(alias + place, input + AT_CODE, room_for_code(place));
  for (int i = 0; i < 8; i++) registers[register_at[i]] = (greg_t)input[AT_REGISTERS + i];
  set_selectors(registers, input + AT_SELECTORS);
  registers[PROGRAM_COUNTER] = (greg_t)input[AT_EIP];
  registers[REG_EFL] = (greg_t)input[AT_EFLAGS];
  const uint32_t *window = input + AT_WINDOW;
  for (uint32_t i = 0; i < input[AT_WINDOWS]; i++) {
    copy(alias + (window[0] - arena), window + 2, window[1]);
    window += 2 + (window[1] + 3) / 4;
  }
  /* Flags that returning from a signal leaves as they are: NT, ID. */
  __asm__ volatile("push $0x202; popf" : : : "cc", "memory");
}

static void record(mcontext_t *machine) {
  greg_t *registers = machine->gregs;
  for (int i = 0; i < 8; i++) *output++ = (uint32_t)registers[register_at[i]];
  *output++ = (uint32_t)registers[PROGRAM_COUNTER];
  *output++ = (uint32_t)registers[REG_EFL];
  for (int i = 0; i < 6; i++) *output++ = selector(registers, i);
  *output++ = (uint32_t)registers[REG_TRAPNO];
  *output++ = (uint32_t)registers[REG_ERR];
  *output++ = fault_address(machine);
  const uint32_t *window = input + AT_WINDOW;
  for (uint32_t i = 0; i < input[AT_WINDOWS]; i++) {
    uint32_t words = (window[1] + 3) / 4;
    if (words > 0) output[words - 1] = 0;
    copy(output, alias + (window[0] - arena), window[1]);
    output += words;
    window += 2 + words;
  }
  uint32_t place = input[AT_PLACE] - arena;
  fill(alias + place, INT3, room_for_code(place));
  input = window;
}

static void report(const char *what, uint32_t value) {
  char digits[8];
  uint32_t length = 0;
  while (what[length]) length++;
  for (int i = 0; i < 8; i++) digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
  system_call(SYS_write, 2, (long)what, (long)length);
  system_call(SYS_write, 2, (long)digits, sizeof digits);
}

static void ended(int signal_number, siginfo_t *info, void *context) {
  (void)info;
  mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
  if (signal_number == SIGALRM) {
    report("case ", at);
    report(" does not end: EIP ", (uint32_t)machine->gregs[PROGRAM_COUNTER]);
    report(" CS ", selector(machine->gregs, 1));
    report(" ESP ", (uint32_t)machine->gregs[register_at[4]]);
    report(" SS ", selector(machine->gregs, 2));
    report(" ECX ", (uint32_t)machine->gregs[register_at[1]]);
    system_call(SYS_exit_group, 1, 0, 0);
  }
  if (started) {
    record(machine);
    if (++at == count) finish();
  }
  started = 1;
  start(machine->gregs);
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void filter(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 5),
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

static uint32_t *read_all(size_t *size) {
  char *bytes = NULL;
  size_t room = 0, got;
  *size = 0;
  do {
    if (*size == room && !(bytes = realloc(bytes, room = room ? room * 2 : 1 << 22))) die("cases");
    *size += got = fread(bytes + *size, 1, room - *size, stdin);
  } while (got > 0);
  return (uint32_t *)bytes;
}

static int protection(uint32_t rights) {
  return (rights & 1 ? PROT_READ : 0) | (rights & 2 ? PROT_WRITE : 0) | (rights & 4 ? PROT_EXEC : 0);
}

int main(void) {
  size_t size;
  input = read_all(&size);
  arena = *input++;
  uint32_t page_count = *input++;
  arena_size = page_count * PAGE;
  int file = memfd_create("arena", 0);
  if (file < 0 || ftruncate(file, arena_size) != 0) die("memfd");
  alias = mmap((void *)(uintptr_t)(arena + 0x8000000), arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, file, 0);
  if (alias == MAP_FAILED) die("alias");
  const uint32_t *rights_of = input;
  input += page_count;
  for (uint32_t i = 0; i < page_count; i++) {
    int rights = protection(rights_of[i]);
    void *page = (void *)(uintptr_t)(arena + i * PAGE);
    if (rights && mmap(page, PAGE, rights, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, file, i * PAGE) != page) die("page");
  }
  for (uint32_t n = *input++, i = 0; i < n; i++, input += 4) {
    struct user_desc descriptor;
    memset(&descriptor, 0, sizeof descriptor);
    descriptor.entry_number = i;
    if (input[0]) {
      descriptor.base_addr = input[1];
      descriptor.limit = input[2];
      descriptor.seg_32bit = input[3] & 1;
      descriptor.contents = input[3] >> 1 & 3;
      descriptor.read_exec_only = input[3] >> 3 & 1;
      descriptor.limit_in_pages = input[3] >> 4 & 1;
      descriptor.seg_not_present = input[3] >> 5 & 1;
    } else {
      descriptor.read_exec_only = descriptor.seg_not_present = 1; /* with base and limit 0: an empty entry */
    }
    if (syscall(SYS_modify_ldt, 0x11, &descriptor, sizeof descriptor) != 0) die("modify_ldt");
  }
  memcpy(alias, input, arena_size);
  for (uint32_t i = 0; i < page_count; i++)
    if (rights_of[i] & 4) fill(alias + i * PAGE, INT3, PAGE);
  input += arena_size / 4;
  count = *input++;
  if (count == 0) return 0;
  /* A result is never longer than its case. */
  if (!(results = output = malloc(size))) die("results");

  /* Disarmed while in use: ESP, which a case may point anywhere, does not tell whether the handler runs already. */
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16, .ss_flags = (int)(1u << 31)};
  if (sigaltstack(&stack, NULL) != 0) die("sigaltstack");
  struct sigaction action = {.sa_sigaction = ended, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    if (sigaction(signals[i], &action, NULL) != 0) die("sigaction");
  }
  alarm(SECONDS);
  filter();
  __asm__ volatile("ud2"); /* into the handler, for good */
  return 1;
}
