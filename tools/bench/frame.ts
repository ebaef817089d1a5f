// What every measured program has around it: rounds from its command line, lines before and after, a checksum, an exit.
import { type Assembler, cr4, data, dword, eax, ecx, esi, type Image, link, proc, startup } from "#asm";
import { option } from "../programs/options.ts";
import { print, serialInitialize } from "../programs/serial.ts";

/** One measured program. */
export interface Row {
  readonly name: string;
  /** What one round does, in a line. */
  readonly what: string;
  /** Rounds that take an interpreter some tens of milliseconds: where looking for the right number begins. */
  readonly rounds: number;
  /** It is for several processors, each of which does all the rounds. */
  readonly parallel: boolean;
  image(): Image;
}

interface Parts {
  readonly name: string;
  readonly what: string;
  readonly rounds: number;
  /** Done once before the clock starts, on the boot processor. */
  prepare?(a: Assembler): void;
  /** One round. May use every register but ESP, and labels that begin with its own name. */
  round(a: Assembler): void;
  /** Leaves the checksum in EAX. */
  checksum(a: Assembler): void;
}

const DEBUG_EXIT = 0xf4;
const rounds = data("rounds", 4);
/** What the command line says, while `rounds` has another number. */
const allRounds = data("allRounds", 4);
const remaining = data("remaining", 32 * 64);

/** The line before the work; whoever measures waits for it. */
export const BEGIN = "BEGIN";
/** The line after it, with the checksum. */
export const END = "END";

function begin(a: Assembler, otherwise: number): void {
  a.call(serialInitialize);
  option(a, "rounds", otherwise);
  a.mov(dword(rounds), eax);
}

function finish(a: Assembler, checksum: (a: Assembler) => void): void {
  checksum(a);
  a.mov(dword(rounds), eax);
  print(a, "end", `${END} `, { hex: dword(rounds) }, "\r\n");
  option(a, "exit", 1);
  a.label("stay"); // whoever measures a process's time wants it to be there after the last line
  a.pause();
  a.test(eax, eax);
  a.jz("stay");
  a.xor(eax, eax);
  a.out(DEBUG_EXIT, eax);
  a.ret();
}

/** EAX = all rounds: half of them first, for those who compile. What is measured is how fast it gets, not how soon. */
function warmUp(a: Assembler): void {
  a.shr(eax, 1);
  a.inc(eax);
  a.mov(dword(rounds), eax);
}

/** A program for one processor. */
export function single({ name, what, rounds: usual, prepare, round, checksum }: Parts): Row {
  const image = (): Image => {
    const work = proc("work", (a) => {
      a.label("again");
      round(a);
      a.dec(dword(rounds));
      a.jnz("again");
      a.ret();
    });
    const main = proc("main", (a) => {
      begin(a, usual);
      a.mov(dword(allRounds), eax);
      prepare?.(a);
      a.mov(eax, dword(allRounds));
      warmUp(a);
      a.call(work);
      a.mov(eax, dword(allRounds));
      a.mov(dword(rounds), eax);
      print(a, "begin", `${BEGIN}\r\n`);
      a.call(work);
      finish(a, checksum);
    });
    return link(main, { start: "boot", stackSize: 0x4000 });
  };
  return { name, what, rounds: usual, parallel: false, image };
}

/** Everybody does the work twice: to warm up, and to be measured. */
const TURNS = [1, 2] as const;
const go = data("go", 4, { align: 64 });
const done = data("done", 4, { align: 64 });
const wanted = data("wanted", 4, { align: 64 });

/** A program that every processor runs, `cpus=N` of them. In `round` ESI is the processor's number and stays. */
export function parallel({ name, what, rounds: usual, round, checksum }: Parts): Row {
  const image = (): Image => {
    const work = proc("work", (a) => {
      a.mov(eax, esi);
      a.shl(eax, 6);
      a.mov(ecx, dword(rounds));
      a.mov(dword(eax, remaining), ecx);
      a.label("again");
      round(a);
      a.mov(eax, esi);
      a.shl(eax, 6);
      a.dec(dword(eax, remaining));
      a.jnz("again");
      a.lock.inc(dword(done));
      a.ret();
    });
    const main = proc("main", (a) => {
      a.mov(esi, eax);
      a.test(esi, esi);
      a.jz("boot");
      for (const turn of TURNS) {
        a.label(`wait${turn}`);
        a.pause();
        a.cmp(dword(go), turn);
        a.jb(`wait${turn}`);
        a.call(work);
      }
      a.ret();
      a.label("boot");
      begin(a, usual);
      option(a, "cpus", 1);
      a.mov(dword(wanted), eax);
      a.label("missing");
      a.pause();
      a.mov(eax, dword(wanted));
      a.cmp(dword(startup.processors), eax);
      a.jb("missing");
      a.mov(eax, dword(rounds));
      a.mov(dword(allRounds), eax);
      warmUp(a);
      for (const turn of TURNS) {
        a.mov(dword(done), 0);
        a.mov(dword(go), turn);
        a.call(work);
        a.label(`others${turn}`);
        a.pause();
        a.mov(eax, dword(wanted));
        a.cmp(dword(done), eax);
        a.jb(`others${turn}`);
        if (turn !== 1) continue;
        a.mov(eax, dword(allRounds));
        a.mov(dword(rounds), eax);
        print(a, "begin", `${BEGIN}\r\n`);
      }
      finish(a, checksum);
    });
    return link(main, { start: "all" });
  };
  return { name, what, rounds: usual, parallel: true, image };
}

/** Bit of CR4: 4 MiB pages. */
export const enableBigPages = (a: Assembler): void => {
  a.mov(eax, cr4);
  a.or(eax, 0x10);
  a.mov(cr4, eax);
};
