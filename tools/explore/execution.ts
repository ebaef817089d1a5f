// A scenario on a machine: visible steps of its processors, forward and back, watched by its monitors.

import { type AccessKind, type Instruction, layout, Machine, Rewinder, type StepWatcher } from "#emulator";
import { Blueprint } from "./blueprint.ts";
import { DeadStacks } from "./dead-stacks.ts";
import { type Decision, STEP_KINDS, type StepKind } from "./failure.ts";
import { InterruptAgents, LOCAL_APIC, type Sent } from "./interrupts.ts";
import type { Hooks } from "./monitor.ts";
import type { Recall } from "./recall.ts";
import type { Scenario } from "./scenario.ts";
import { hex } from "./text.ts";

/** How far a processor has come. */
export const READY = 0;
/** Its program is over. */
export const OVER = 1;
/** It will not do anything visible any more, and its program is not over. */
export const STUCK = 2;

/** How a visible step, and what follows it up to the next one, went. */
export type Ending =
  | "done"
  /** A property does not hold: `violation`. */
  | "violated"
  /** The program does what cannot be explored: `obstacle`. */
  | "unfinished"
  /** A word turned out to be shared: steps so far were taken for private that are not. */
  | "sharing";

/** What is told to whoever records an execution, instruction by instruction. */
export interface Recorder {
  /** An instruction begins, or goes on after some of its accesses. */
  instruction(processor: number, eip: number, instruction: Instruction | null): void;
  accessed(processor: number, kind: StepKind, address: number, bytes: number, value: number): void;
  /** It is complete. */
  retired(processor: number): void;
}

/** Private instructions in a row after which a loop among them is looked for, and after which the search gives up. */
const PATIENCE = 1 << 10;
const LIMIT = 1 << 20;
const EFLAGS_IF = 0x200;
const PAGE = 4096;
const RUN = STEP_KINDS.indexOf("run");
const WINDOW = STEP_KINDS.indexOf("window");

export class Execution implements StepWatcher {
  readonly blueprint: Blueprint;
  readonly rewinder: Rewinder;
  /** READY, OVER or STUCK, a processor. */
  readonly status: Uint8Array;
  /** The next visible step of each READY processor: an index in STEP_KINDS, and the address. */
  readonly nextKind: Uint8Array;
  readonly nextAddress: Uint32Array;
  /** 1 for each shared word of RAM, by address / 4. */
  readonly shared: Uint8Array;
  /** Evidence that monitors demand, as seen so far. */
  readonly evidence = new Set<string>();
  violation: { property: string; message: string } | null = null;
  /** Monitors' violations are passed over: when only shared words are looked for. */
  lenient = false;
  obstacle = "";
  /** Interrupts that may come, and what processors send each other. */
  readonly interrupts: InterruptAgents;
  /** Delivery of an interrupt touches shared words: then no choice of one processor is its own affair. */
  unreduced = false;
  private readonly deadStacks: DeadStacks | null;
  private readonly clockIsFrozen: boolean;
  /** Who wrote a word of RAM last, plus one; 0: nobody. Good as long as nothing has been undone. */
  readonly writers: Uint8Array;
  recorder: Recorder | null = null;
  /** Steps seen before, which need not be run again; null: every one is run. */
  recall: Recall | null = null;
  private readonly hooks: readonly Hooks[];
  private readonly marks = new Map<number, ((processor: number) => void)[]>();
  /** Which processors have touched a word, a bit each, and whether one of them wrote. */
  private readonly touched: Uint32Array;
  private readonly written: Uint8Array;
  private readonly past: { status: number; kind: number; address: number }[] = [];
  private processor = 0;
  /** The step in progress is the visible one: it may touch shared memory. */
  private permitted = false;
  /** What happens is only tried, to see whether the next step is a visible one. */
  private probing = false;
  /** Accesses of this step belong to the delivery of an interrupt, which is not split. */
  private delivering = false;
  private stopped = false;
  private sharing = false;

  constructor(scenario: Scenario) {
    const { processors, image } = scenario;
    const memory = memoryOf(scenario);
    const machine = new Machine({ processors, memory });
    if (scenario.booted) machine.restore(scenario.booted);
    else for (const { address, bytes } of image.sections) if (bytes.length > 0) machine.memory.set(address, bytes);
    scenario.setup?.(machine.memory);
    this.clockIsFrozen = scenario.clock === "frozen";
    this.blueprint = new Blueprint(scenario, memory);
    this.rewinder = new Rewinder(machine, this);
    for (const [processor, { eip, esp }] of scenario.starts.entries()) {
      if (scenario.booted) this.rewinder.resume(processor, eip, esp);
      else this.rewinder.start(processor, eip, esp ?? 0);
    }
    this.deadStacks = scenario.stacks ? new DeadStacks(this.rewinder, scenario.stacks, image.load) : null;
    this.rewinder.rehash();
    this.status = new Uint8Array(processors);
    this.nextKind = new Uint8Array(processors);
    this.nextAddress = new Uint32Array(processors);
    this.shared = new Uint8Array(memory / 4);
    this.touched = new Uint32Array(memory / 4);
    this.written = new Uint8Array(memory / 4);
    this.writers = new Uint8Array(memory / 4);
    this.interrupts = new InterruptAgents(this.rewinder, scenario.interrupts ?? [], scenario.booted !== undefined);
    let firstWord = this.interrupts.words;
    this.hooks = scenario.monitors.map((monitor) => {
      const base = firstWord;
      firstWord += monitor.words;
      return monitor.watch({
        image,
        processors,
        rounds: scenario.rounds,
        words: {
          get: (index) => {
            this.recall?.finds(this.rewinder.monitorIndex(base + index));
            return this.rewinder.monitor(base + index);
          },
          set: (index, value) => {
            this.recall?.finds(this.rewinder.monitorIndex(base + index));
            this.rewinder.setMonitor(base + index, value);
          },
        },
        dword: (address) => {
          this.findsWords(address, 4);
          return this.rewinder.dword(address);
        },
        taskPriority: (processor) => {
          if (processor !== this.processor) this.findsApic(processor);
          return this.interrupts.taskPriority(processor);
        },
        isShared: (address) => this.shared[address >>> 2] === 1,
        nameOf: (address) => this.blueprint.nameOf(address),
        violated: (property, message) => {
          if (!this.lenient) this.violate(property, message);
        },
        saw: (evidence) => this.evidence.add(evidence),
      });
    });
    for (const { marks } of this.hooks)
      for (const [address, hook] of marks ?? []) this.marks.set(address, [...(this.marks.get(address) ?? []), hook]);
  }

  get processors(): number {
    return this.status.length;
  }

  /** Takes a word for shared from the start; or, by an address of the local APIC's page, a processor for one that is sent to. */
  share(address: number): void {
    if (!this.interrupts.share(address)) this.shared[address >>> 2] = 1;
  }

  /** Addresses of the shared words. */
  sharedAddresses(): number[] {
    const words: number[] = [];
    this.shared.forEach((is, word) => {
      if (is === 1) words.push(word * 4);
    });
    return [...words, ...this.interrupts.sharedAddresses()];
  }

  /** Every processor runs up to its first visible step. Is taken back by as many `undo`s as there are processors. */
  begin(): Ending {
    for (let processor = 0; processor < this.processors; processor++) {
      this.save(processor);
      const ending = this.run(false);
      if (ending !== "done") return ending;
    }
    return "done";
  }

  /** An agent's interrupt comes, and all that its processor then does privately. Taken back by `undo`. */
  interrupt(agent: number): Ending {
    const { processor } = this.interrupts.agents[agent]!;
    this.save(processor);
    if (this.recalls(processor, agent + 1)) return "done";
    this.interrupts.take(agent);
    return this.kept(this.run(true));
  }

  /** The next visible step of a READY processor, and all that follows it privately. Taken back by `undo`. */
  advance(processor: number): Ending {
    const kind = this.nextKind[processor]!;
    this.save(processor);
    if (this.recalls(processor, 0)) return "done";
    if (kind !== RUN && kind !== WINDOW) for (const { step } of this.hooks) step?.(processor);
    this.permitted = kind !== RUN;
    return this.kept(this.run(true));
  }

  /** Whether what the processor is about to do is known from an earlier time; then it is done. */
  private recalls(processor: number, action: number): boolean {
    const { recall } = this;
    if (!recall) return false;
    const arrival = recall.again(processor, action);
    if (arrival) {
      this.status[processor] = arrival.status;
      this.nextKind[processor] = arrival.kind;
      this.nextAddress[processor] = arrival.address;
      return true;
    }
    for (const agent of this.interrupts.agentsOf(processor)) recall.finds(this.rewinder.monitorIndex(agent));
    return false;
  }

  private kept(ending: Ending): Ending {
    const { processor } = this;
    if (ending === "done")
      this.recall?.keep({
        status: this.status[processor]!,
        kind: this.nextKind[processor]!,
        address: this.nextAddress[processor]!,
      });
    return ending;
  }

  /** What is done depends on another processor's APIC. */
  private findsApic(processor: number): void {
    const { first, count } = this.interrupts.apicWords(processor);
    for (let index = first; index < first + count; index++) this.recall?.finds(index);
  }

  /** What is done depends on these bytes. */
  private findsWords(address: number, bytes: number): void {
    if (!this.recall) return;
    const first = this.rewinder.indexOf(address);
    const last = this.rewinder.indexOf(address + bytes - 1);
    for (let index = first; index <= last; index++) this.recall.finds(index);
  }

  undo(): void {
    const processor = this.rewinder.undo();
    const { status, kind, address } = this.past.pop()!;
    this.status[processor] = status;
    this.nextKind[processor] = kind;
    this.nextAddress[processor] = address;
    this.violation = null;
    this.obstacle = "";
    this.sharing = false;
  }

  /** All programs are over: what the monitors say to that. */
  finish(): Ending {
    for (const { finished } of this.hooks) finished?.();
    return this.violation ? "violated" : "done";
  }

  get isOver(): boolean {
    return this.status.every((status) => status === OVER);
  }

  hasEnded(processor: number): boolean {
    return this.status[processor] === OVER;
  }

  /** It stands in front of a step, or is halted and an interrupt has come for it since. */
  isReady(processor: number): boolean {
    const status = this.status[processor];
    return status === READY || (status === STUCK && this.interrupts.wakes(processor));
  }

  /** Whatever it does next, take an interrupt or go on, is its own affair: nobody else can tell when. */
  isPrivate(processor: number): boolean {
    return this.status[processor] === READY && this.nextKind[processor] === RUN && !this.unreduced;
  }

  /** What a READY processor is about to do. */
  next(processor: number): Decision {
    return {
      processor,
      kind: STEP_KINDS[this.nextKind[processor]!]!,
      address: this.nextAddress[processor]!,
    };
  }

  eip(processor: number): number {
    return this.rewinder.machine.processors[processor]!.eip >>> 0;
  }

  /** `P1 at KeAcquire...+0x1c (queuedspinlock.ts:40)`. */
  whereIs(processor: number): string {
    return `P${processor} at ${this.blueprint.whereIs(this.eip(processor))}`;
  }

  // --- running ---

  private save(processor: number): void {
    this.processor = processor;
    this.rewinder.save(processor);
    this.past.push({
      status: this.status[processor]!,
      kind: this.nextKind[processor]!,
      address: this.nextAddress[processor]!,
    });
  }

  /**
   * Steps until the processor stands in front of its next visible step or choice, or will not come to one. The first step is
   * `decided`, if it has been in front of it before.
   */
  private run(decided: boolean): Ending {
    const { rewinder, processor, interrupts, deadStacks } = this;
    let before = "";
    let chooses = false;
    for (let steps = 1; ; steps++) {
      chooses = (steps > 1 || !decided) && interrupts.mayCome(processor);
      if (chooses) {
        this.status[processor] = READY;
        break;
      }
      this.stopped = false;
      const pointer = deadStacks?.pointer(processor) ?? 0;
      const { kind, detail } = rewinder.step();
      deadStacks?.leave(processor, pointer);
      this.permitted = false;
      this.delivering = false;
      if (kind === "retired") this.recorder?.retired(processor);
      if (kind === "not implemented") this.hinder(`needs what is not implemented (${detail})`);
      else if (kind === "triple fault") this.violate("no exception", `${this.whereIs(processor)} shuts down`);
      else if (kind !== "retired" && kind !== "access" && kind !== "delivered") this.hinder(`ends the run (${kind})`);
      if (this.violation || this.obstacle !== "" || this.sharing) break;
      if (this.stopped) {
        this.status[processor] = READY;
        break;
      }
      if (rewinder.activity(processor) === layout.HALTED && !interrupts.wakes(processor)) {
        const waits = (rewinder.machine.processors[processor]!.eflags & EFLAGS_IF) !== 0;
        this.status[processor] = waits ? STUCK : OVER;
        this.nextKind[processor] = WINDOW;
        this.nextAddress[processor] = this.eip(processor);
        break;
      }
      if (steps < PATIENCE) continue;
      // A private loop that comes back to where it was is never left, as nobody else can change what it sees.
      rewinder.settle();
      const now = rewinder.hashText();
      if (now === before) {
        this.status[processor] = STUCK;
        break;
      }
      if ((steps & (steps - 1)) === 0) before = now;
      if (steps === LIMIT) this.hinder(`runs ${LIMIT} instructions without touching shared memory`);
    }
    deadStacks?.clear(processor);
    rewinder.settle();
    if (chooses) this.lookAhead();
    if (this.sharing) return "sharing";
    if (this.violation) return "violated";
    return this.obstacle === "" ? "done" : "unfinished";
  }

  /** What the processor, at a boundary with a choice, does if no interrupt comes: tried and taken back. */
  private lookAhead(): void {
    const { rewinder, processor } = this;
    const { violation, obstacle } = this;
    this.nextKind[processor] = this.interrupts.isSentTo(processor) ? WINDOW : RUN;
    this.nextAddress[processor] = this.eip(processor);
    this.probing = true;
    this.stopped = false;
    rewinder.save(processor);
    rewinder.step();
    rewinder.undo();
    this.probing = false;
    this.delivering = false;
    this.violation = violation;
    this.obstacle = obstacle;
  }

  private violate(property: string, message: string): void {
    if (this.obstacle === "") this.violation ??= { property, message };
  }

  /** The search cannot go on: the current processor does something that is beyond it. */
  private hinder(what: string): void {
    if (!this.violation && this.obstacle === "") this.obstacle = `${this.whereIs(this.processor)} ${what}`;
  }

  // --- what the machine tells ---

  instruction(signedEip: number, instruction: Instruction | null): void {
    const eip = signedEip >>> 0;
    if (!this.probing) this.recorder?.instruction(this.processor, eip, instruction);
    const hooks = this.marks.get(eip);
    if (hooks) for (const hook of hooks) hook(this.processor);
    const obstacle = instruction && obstacles.get(instruction.form.mnemonic);
    const allowed = obstacle === clock && this.clockIsFrozen;
    if (obstacle && !allowed && !this.violation) this.obstacle = `${obstacle} at ${this.blueprint.whereIs(eip)}`;
    if (!this.blueprint.isCode(eip))
      this.violate("memory safety", `P${this.processor} runs at ${hex(eip)}, which is no code`);
  }

  mayAccess(kind: AccessKind, address: number, bytes: number): boolean {
    if (this.violation || this.obstacle !== "") return this.stop();
    const write = kind !== "read";
    if (this.interrupts.areModelled && address - (address % PAGE) === LOCAL_APIC)
      return this.mayUseApic(address, write);
    const first = address >>> 2;
    const last = (address + bytes - 1) >>> 2;
    if (!this.blueprint.isData(address, bytes, write)) return this.refuse(kind, address);
    this.findsWords(address, bytes);
    if (write && this.rewinder.isPageTable(address)) {
      this.hinder("writes a page table, which cannot be explored yet");
      return this.stop();
    }
    this.touch(first, write);
    if (last !== first) this.touch(last, write);
    if (this.sharing) return this.stop();
    if (this.permitted || (this.shared[first] === 0 && this.shared[last] === 0)) return true;
    if (this.delivering) {
      this.sharing = !this.unreduced;
      this.unreduced = true;
      return true;
    }
    return this.stopInFront(kind, address);
  }

  /** What a processor does to its own APIC concerns nobody else, but for commands that reach others. */
  private mayUseApic(address: number, write: boolean): boolean {
    if (!write && this.interrupts.isClock(address)) {
      this.obstacle = `${clock} at ${this.blueprint.whereIs(this.eip(this.processor))}`;
      return this.stop();
    }
    if (this.permitted || !write || !this.interrupts.reachesOthers(address)) return true;
    return this.stopInFront("write", address);
  }

  private stopInFront(kind: AccessKind, address: number): false {
    this.nextKind[this.processor] = STEP_KINDS.indexOf(kind);
    this.nextAddress[this.processor] = address;
    return this.stop();
  }

  accessed(kind: AccessKind, address: number, bytes: number, value: number): void {
    if (this.probing) return;
    this.recorder?.accessed(this.processor, kind, address, bytes, value);
    if (address >= LOCAL_APIC) {
      if (kind === "write") this.noteSent(this.interrupts.sent(this.processor, address, value));
      return;
    }
    if (kind !== "read") this.writers[address >>> 2] = this.processor + 1;
    if (this.deadStacks?.accessed(this.processor, kind, address))
      this.hinder("reads what an earlier call has left below the stack pointer, which this scenario leaves out");
    for (const { access } of this.hooks) access?.(this.processor, kind, address, value);
  }

  exception(vector: number): void {
    this.violate("no exception", `${this.whereIs(this.processor)} raises exception ${vector}`);
  }

  interrupted(): void {
    this.delivering = true;
  }

  private noteSent(sent: Sent): void {
    if (sent === "news") this.sharing = true;
    else if (sent === "unknown") this.hinder("sends an interprocessor message that cannot be explored yet");
  }

  private stop(): false {
    this.stopped = true;
    return false;
  }

  /** Notes who touches a word, and whether that makes it a shared one. */
  private touch(word: number, write: boolean): void {
    if (this.shared[word] === 1) return;
    const by = (this.touched[word]! | (1 << this.processor)) >>> 0;
    this.touched[word] = by;
    if (write) this.written[word] = 1;
    if (this.written[word] === 0 || (by & (by - 1)) === 0) return;
    this.shared[word] = 1;
    this.sharing = true;
  }

  private refuse(kind: AccessKind, address: number): false {
    const verb = kind === "read" ? "reads" : "writes";
    if (address - (address % PAGE) === LOCAL_APIC)
      this.hinder(`${verb} its local APIC: explored programs have no time and no interrupts yet`);
    else
      this.violate("memory safety", `${this.whereIs(this.processor)} ${verb} ${hex(address)}, which is nobody's data`);
    return this.stop();
  }
}

/** What cannot be explored: time stands still, and devices have no part in it yet. */
const clock = "reads the clock";
const port = "uses an I/O port, which cannot be explored yet,";
const obstacles = new Map([
  ["RDTSC", clock],
  ["RDMSR", "reads a model-specific register, which can be a clock,"],
  ["IN", port],
  ["OUT", port],
  ["INSB", port],
  ["INSW", port],
  ["INSD", port],
  ["OUTSB", port],
  ["OUTSW", port],
  ["OUTSD", port],
]);

/** Bytes of RAM that a scenario's machine has. */
export function memoryOf({ booted }: Scenario): number {
  return booted?.layout.ramSize ?? BARE_MEMORY;
}

const BARE_MEMORY = 0x100000;
