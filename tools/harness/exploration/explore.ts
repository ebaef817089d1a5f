// Every schedule of programs that a test writes, on the booted kernel: `explore({ processors: 2, dpcs: "anywhere" }, (nt) => ...)`.

import { type Data, data, dword, eax, ebp, esp, type Label, memory, type Procedure, proc } from "#asm";
import {
  explore as exploreScenario,
  formatFailure,
  lockMonitor,
  type Monitor,
  type Scenario,
  type SetupMemory,
  type Verdict,
  type Violation,
} from "#explore";
import { TEST_VECTORS } from "#kernel";
import { type Writer, type WriterArgument, writerOn } from "../writer.ts";
import { type BootedKernel, bootKernel } from "./booted.ts";
import { dpcMonitor, dpcRoutine, prepareDpc, queueingRoutine, serveVector } from "./dpcs.ts";
import { levelMonitor } from "./levels.ts";

export interface ExplorationOptions {
  /** 1 to 4 of them. */
  readonly processors: number;
  /** `anywhere`: on each processor an interrupt comes once, at any boundary that lets it in, and queues a DPC. Unless given: none. */
  readonly dpcs?: "anywhere" | "none";
  /** Stop with an error after so many states. */
  readonly maxStates?: number;
}

/** A section that a lock shall protect. */
export interface CriticalSection {
  /** Writes it into a program: a load and a store of one word, between two marked addresses. Uses EAX. */
  body(a: Writer): void;
}

/** What must hold on every schedule. */
export interface Property {
  readonly lock: Data;
  readonly section: CriticalSection;
  /** Processors enter in the order in which they first write the lock's word. */
  readonly fifo: boolean;
}

/** A processor of an exploration. */
export interface ExploredProcessor {
  readonly number: number;
  /** What it does, from PASSIVE_LEVEL to PASSIVE_LEVEL: guest code. Each section in it is passed once. */
  program(body: (a: Writer) => void): void;
}

/** What does not hold, with the schedule that shows it. */
export class ViolationError extends Error {
  override readonly name = "ViolationError";
  readonly violation: Violation;

  constructor(violation: Violation, scenario: Scenario) {
    super(formatFailure(violation.failure, scenario));
    this.violation = violation;
  }
}

/** A search that did not end: it proves nothing. */
export class UnfinishedError extends Error {
  override readonly name = "UnfinishedError";
}

const MOST_PROCESSORS = 4;
/** Room for a program's locals, above where its stack begins: no interrupt reaches it. */
const FRAME_BYTES = 256;
const GARBAGE = 0xcccccccc;
const [VECTOR] = TEST_VECTORS;

/**
 * Every schedule of the programs that `write` gives to processors, with the properties that it returns; always among them: levels
 * come back, every DPC runs once, no bug check, no exception, no deadlock. The same on every run. Throws ViolationError with the
 * simplest schedule for what does not hold, UnfinishedError for a search that did not end, ScenarioError for one that proves nothing.
 */
export function explore(options: ExplorationOptions, write: (nt: ExploredKernel) => readonly Property[]): Verdict {
  const { processors, maxStates } = options;
  if (!(Number.isInteger(processors) && processors >= 1 && processors <= MOST_PROCESSORS))
    throw new RangeError(`harness: ${processors} processors to be explored; 1 to ${MOST_PROCESSORS} will do`);
  const nt = new ExploredKernel(processors);
  const scenario = nt.scenario(write(nt), options);
  const verdict = exploreScenario(scenario, maxStates === undefined ? {} : { maxStates });
  const [violation] = verdict.violations;
  if (violation) throw new ViolationError(violation, scenario);
  if (verdict.verdict !== "verified") throw new UnfinishedError(`harness: ${verdict.verdict}: ${verdict.reason}`);
  return verdict;
}

/** What a test writes its programs with: nothing runs yet, so that locks are places and have no values. */
export class ExploredKernel {
  readonly processors: readonly ExploredProcessor[];
  readonly #programs = new Map<number, Procedure>();
  readonly #sections: Section[] = [];
  /** Of each program that has been assembled. */
  readonly #calls = new Map<Procedure, readonly LockCall[]>();
  readonly #locks: Data[] = [];

  constructor(processors: number) {
    this.processors = Array.from({ length: processors }, (_, number) => ({
      number,
      program: (body) => {
        this.#programs.set(number, this.#program(number, body));
      },
    }));
  }

  /** A free spin lock, of either kind. */
  spinLock(): Data {
    const lock = data(`spinLock${this.#locks.length}`, 4);
    this.#locks.push(lock);
    return lock;
  }

  criticalSection(): CriticalSection {
    const section = new Section(this.#sections.length);
    this.#sections.push(section);
    return section;
  }

  /** What a lock promises: one processor at a time in its section, no addition lost; and, of queued locks, first come, first served. */
  properties(lock: Data, section: CriticalSection): { readonly mutualExclusion: Property; readonly fifo: Property } {
    return { mutualExclusion: { lock, section, fifo: false }, fifo: { lock, section, fifo: true } };
  }

  #program(number: number, body: (a: Writer) => void): Procedure {
    const program: Procedure = proc(`program${number}`, (a) => {
      const calls: LockCall[] = [];
      this.#calls.set(program, calls);
      for (const section of this.#sections) section.uses.set(program, 0);
      a.lea(ebp, memory(esp, FRAME_BYTES));
      const writer = writerOn(a);
      const call = (target: Procedure, ...args: readonly WriterArgument[]): void => {
        const lock = this.#locks.find((known) => args.some((argument) => argument === known));
        if (lock && ACQUIRES.test(target.name)) {
          const name = `acquire${calls.length}`;
          a.label(name);
          calls.push({ lock, label: program.label(name) });
        }
        const section = this.#sections.find(({ routine }) => routine === target);
        section?.uses.set(program, (section.uses.get(program) ?? 0) + 1);
        writer.call(target, ...args);
      };
      body(Object.assign(Object.create(writer), { call }) as Writer);
      a.cli();
      a.hlt();
    });
    return program;
  }

  /** All of it as what is explored. */
  scenario(properties: readonly Property[], { processors, dpcs = "none" }: ExplorationOptions): Scenario {
    const idle = proc("noProgram", (a) => {
      a.cli();
      a.hlt();
    });
    const programs = this.processors.map(({ number }) => this.#programs.get(number) ?? idle);
    const dpc = dpcRoutine();
    const service = queueingRoutine("QueueDpc");
    const kernel = bootKernel(processors, [...new Set(programs), dpc, service]);
    const { image, booted, stacks, tops } = kernel;
    const monitors = this.#monitors(properties, kernel);
    const interrupts = this.processors.map(({ number }) => ({ processor: number, vector: VECTOR, budget: 1 }));
    return {
      name: "a test's programs",
      processors,
      rounds: 1,
      image,
      booted,
      stacks,
      starts: tops.map((top, number) => ({
        eip: image.addressOf(programs[number]!),
        esp: top - FRAME_BYTES,
      })),
      ...(dpcs === "anywhere" ? { interrupts } : {}),
      setup: (ram) => {
        for (const top of tops) fillFrame(ram, top + image.load);
        for (const { number } of this.processors) prepareDpc(ram, kernel, number, dpc);
        serveVector(ram, kernel, VECTOR, service);
      },
      monitors: [...monitors, levelMonitor(kernel, new Map()), dpcMonitor(kernel, processors)],
      words: new Map([
        ...this.#locks.filter((lock) => image.has(lock)).map((lock) => [kernel.physical(lock), lock.name] as const),
        ...this.#sections
          .filter(({ word }) => image.has(word))
          .map(({ word }) => [kernel.physical(word), word.name] as const),
      ]),
    };
  }

  /** One a lock and section, whatever is asked of it. */
  #monitors(properties: readonly Property[], kernel: BootedKernel): Monitor[] {
    const { image } = kernel;
    const pairs = new Map<string, Property>();
    for (const property of properties) {
      const key = `${property.lock.name} ${this.#sections.indexOf(property.section as Section)}`;
      pairs.set(key, { ...property, fifo: property.fifo || (pairs.get(key)?.fifo ?? false) });
    }
    return [...pairs.values()].map(({ lock, section, fifo }) => {
      const { word, routine, uses } = section as Section;
      const calls = [...this.#calls.values()].flat().filter((call) => call.lock === lock);
      return lockMonitor({
        acquire: calls.map(({ label }) => image.addressOf(label)),
        enter: image.addressOf(routine.label("enter")),
        leave: image.addressOf(routine.label("leave")),
        section: kernel.physical(word),
        additions: [...uses.values()].reduce((sum, count) => sum + count, 0),
        ...(fifo ? { fifo: kernel.physical(lock) } : {}),
      });
    });
  }
}

/** A call that acquires a lock. */
interface LockCall {
  readonly lock: Data;
  readonly label: Label;
}

const ACQUIRES = /Acquire/;

/** A section as a routine of its own, so that its marks are the same for everybody. */
class Section implements CriticalSection {
  readonly word: Data;
  readonly routine: Procedure;
  /** How often each program passes it. */
  readonly uses = new Map<Procedure, number>();

  constructor(number: number) {
    const word = data(`section${number}`, 4);
    this.word = word;
    this.routine = proc(`CriticalSection${number}`, (a) => {
      a.label("enter");
      a.mov(eax, dword(word));
      a.inc(eax);
      a.mov(dword(word), eax);
      a.label("leave");
      a.ret();
    });
  }

  body(a: Writer): void {
    a.call(this.routine);
  }
}

/** Nobody shall rely on what a local holds in the beginning. `top` is a physical address. */
function fillFrame(ram: SetupMemory, top: number): void {
  for (let address = top - FRAME_BYTES; address < top; address += 4) ram.setDword(address >>> 0, GARBAGE);
}
