// A machine whose steps can be taken back, and whose state hash follows every step: for searches over schedules.

import { G_CPU, G_LOCKED, G_STATUS, STATUS_SPLIT } from "../cpu/core.ts";
import type { Instruction } from "../isa/instruction.ts";
import { addWord, addWords, type Hash64, hashText, removeWord } from "../memory/hash.ts";
import * as L from "../memory/layout.ts";
import { enterProtected } from "./loader.ts";
import type { Machine, StepResult } from "./machine.ts";

/** What a data access does. `update`: part of a locked read-modify-write, one atomic step. */
export type AccessKind = "read" | "write" | "update";

/** Watches the processor that steps. Addresses are physical. */
export interface StepWatcher {
  /** An instruction is about to run, for the first time or to go on after some of its accesses. */
  instruction(eip: number, instruction: Instruction | null): void;
  /** A data access is about to happen; false stops the processor in front of it, as if it had never come here. */
  mayAccess(kind: AccessKind, address: number, bytes: number): boolean;
  /** It has happened: the value read or written, of `bytes` bytes. */
  accessed(kind: AccessKind, address: number, bytes: number, value: number): void;
  exception(vector: number, errorCode: number): void;
  /** An interrupt from outside the processor is about to be delivered: the accesses that follow in this step are its own. */
  interrupted?(vector: number): void;
}

/**
 * Steps of single processors with unlocked instructions split into their accesses, time standing still, and an undo log:
 * `save`, then steps of one processor, then `settle`; later `undo`, in the order of a stack. Monitor words are part of it.
 */
export class Rewinder {
  readonly machine: Machine;
  /** Saves not yet undone. */
  depth = 0;
  /** A sum over everything outside the processors' blocks, as of the last `settle`: unequal sums mean changed memory. */
  readonly memory: Hash64 = { low: 0, high: 0 };
  private readonly i32: Int32Array;
  private readonly blocks: Hash64[];
  /** Words changed, with their old values, in pairs. */
  private log = new Int32Array(0x4000);
  private logged = 0;
  /** Where the entries begin that `settle` has not seen. */
  private settled = 0;
  /** Per word of the machine: the number of the settling that saw it last. */
  private readonly seen: Int32Array;
  private settling = 0;
  /** Per save: processor, length of the log, two sums. Their old blocks lie in `saved`. */
  private readonly points: Point[] = [];
  private saved = new Int32Array(64 * L.PROCESSOR_WORDS);

  constructor(machine: Machine, watcher: StepWatcher) {
    const { core } = machine;
    this.machine = machine;
    this.i32 = core.i32;
    this.seen = new Int32Array(core.i32.length);
    machine.observe({
      before: (_, eip, instruction) => watcher.instruction(eip, instruction),
      interrupt: (_, vector, kind, error) => {
        if (kind === "exception") watcher.exception(vector, error);
        else watcher.interrupted?.(vector);
      },
      beforeAccess: (physical, _, bytes, write) => {
        if (watcher.mayAccess(kindOf(core.g[G_LOCKED] !== 0, write), physical, bytes)) {
          if (write && physical === LOCAL_APIC_COMMAND) this.recordOthers();
          return true;
        }
        core.g[G_STATUS] = STATUS_SPLIT;
        return false;
      },
      read: (physical, _, bytes, value) =>
        watcher.accessed(kindOf(core.g[G_LOCKED] !== 0, false), physical, bytes, value),
      write: (physical, _, bytes, value) =>
        watcher.accessed(kindOf(core.g[G_LOCKED] !== 0, true), physical, bytes, value),
    });
    core.linear.splitting = true;
    core.linear.physical.journal = (index, old) => this.record(index, old);
    this.blocks = machine.processors.map(() => ({ low: 0, high: 0 }));
    this.rehash();
  }

  /** Puts a processor into flat 32-bit protected mode without paging, interrupts off. Before the first `save`. */
  start(processor: number, eip: number, esp: number): void {
    const { core } = this.machine;
    const at = core.blockOf(processor) >> 2;
    enterProtected(core, processor, eip);
    this.i32[at + L.R_ESP] = esp;
    this.i32[at + L.R_ACTIVITY] = L.RUNNING;
    this.machine.interpreter.forgetModes();
    this.rehash();
  }

  /** Sets a processor of a booted machine to a new place: interrupts on, general registers zero. Before the first `save`. */
  resume(processor: number, eip: number, esp?: number): void {
    const at = this.machine.core.blockOf(processor) >> 2;
    const top = esp ?? this.i32[at + L.R_ESP];
    this.i32.fill(0, at, at + L.R_ZERO);
    this.i32[at + L.R_ESP] = top;
    this.i32[at + L.R_EIP] = eip;
    this.i32[at + L.R_EFLAGS] = EFLAGS_AT_REST;
    this.i32[at + L.R_LAZY] = 0;
    this.i32[at + L.R_ACTIVITY] = L.RUNNING;
    this.machine.interpreter.forgetModes();
    this.rehash();
  }

  /** Sums from scratch: after memory was changed from outside. */
  rehash(): void {
    const { machine } = this;
    const text = machine.stateHash();
    this.memory.high = Number.parseInt(text.slice(0, 8), 16);
    this.memory.low = Number.parseInt(text.slice(8), 16);
    this.blocks.forEach((sum, processor) => {
      this.sumBlock(processor, sum);
      subtract(this.memory, sum);
    });
    this.settled = this.logged;
  }

  /** The state hash of the machine, as `machine.stateHash()` would find it from scratch. As of the last `settle`. */
  hash(): Hash64 {
    let { low, high } = this.memory;
    for (const block of this.blocks) {
      low += block.low;
      high += block.high;
    }
    return { low: low >>> 0, high: (high + Math.floor(low / 2 ** 32)) >>> 0 };
  }

  hashText(): string {
    return hashText(this.hash());
  }

  /** Remembers the state; only this processor may step until the next `save`. */
  save(processor: number): void {
    const { i32, memory, machine } = this;
    const from = machine.core.blockOf(processor) >> 2;
    const at = this.depth * L.PROCESSOR_WORDS;
    if (at === this.saved.length) this.saved = grown(this.saved);
    this.saved.set(i32.subarray(from, from + L.PROCESSOR_WORDS), at);
    const block = this.blocks[processor];
    const point = (this.points[this.depth] ??= { processor: 0, logged: 0, memory: zero(), block: zero() });
    point.processor = processor;
    point.logged = this.logged;
    copy(point.memory, memory);
    copy(point.block, block);
    this.depth++;
  }

  /** One step of the processor saved last: one instruction, or one access of an unlocked one. */
  step(): StepResult {
    return this.machine.step(this.points[this.depth - 1].processor);
  }

  /** Brings the hash up to date after steps. */
  settle(): void {
    const { i32, log, seen, memory } = this;
    const { processor } = this.points[this.depth - 1];
    this.settling++;
    for (let at = this.settled; at < this.logged; at += 2) {
      const index = log[at];
      if (seen[index] === this.settling) continue;
      seen[index] = this.settling;
      removeWord(memory, index, log[at + 1]);
      addWord(memory, index, i32[index]);
    }
    this.settled = this.logged;
    this.settleBlock(processor);
  }

  /** Few words of a block change in a step: those that differ from the saved ones. */
  private settleBlock(processor: number): void {
    const { i32, saved } = this;
    const sum = this.blocks[processor];
    const from = this.materialised(processor);
    const before = (this.depth - 1) * L.PROCESSOR_WORDS;
    copy(sum, this.points[this.depth - 1].block);
    for (let word = 0; word < L.PROCESSOR_WORDS; word++) {
      const old = saved[before + word];
      const now = i32[from + word];
      if (old === now) continue;
      removeWord(sum, from + word, old);
      addWord(sum, from + word, now);
    }
  }

  /** Back to the last `save`; returns the processor whose steps these were. */
  undo(): number {
    const { i32, log, machine } = this;
    this.depth--;
    const { processor, logged, memory, block } = this.points[this.depth];
    for (let at = this.logged - 2; at >= logged; at -= 2) {
      const index = log[at];
      i32[index] = log[at + 1];
      this.noticeWritten(index);
    }
    this.logged = logged;
    this.settled = logged;
    const at = this.depth * L.PROCESSOR_WORDS;
    i32.set(this.saved.subarray(at, at + L.PROCESSOR_WORDS), machine.core.blockOf(processor) >> 2);
    copy(this.memory, memory);
    copy(this.blocks[processor], block);
    return processor;
  }

  /** A word was written behind the machine's back: what was derived from it goes; accessed bits are set again by the next walk. */
  private noticeWritten(index: number): void {
    const { core } = this.machine;
    const physical = index * 4 - core.layout.ramBase;
    if (physical < 0) return;
    const page = core.layout.attributeBase + Math.floor(physical / L.PAGE);
    core.u8[page] |= L.ATTRIBUTE_DIRTY;
    if ((core.u8[page] & L.ATTRIBUTE_CODE) !== 0) core.linear.physical.codeWritten(physical, 4);
    if ((core.u8[page] & L.ATTRIBUTE_PAGETABLE) !== 0) core.linear.paging.flushEverything();
  }

  /** Words outside the block of the processor saved last that have been written since: index, old value, new value, in threes. */
  changes(): Int32Array {
    const { i32, log, seen } = this;
    const changes: number[] = [];
    this.settling++;
    for (let at = this.points[this.depth - 1].logged; at < this.logged; at += 2) {
      const index = log[at];
      if (seen[index] === this.settling) continue;
      seen[index] = this.settling;
      changes.push(index, log[at + 1], i32[index]);
    }
    return Int32Array.from(changes);
  }

  /** What has been done since the last `save`, as of the last `settle`: for `redo`. */
  effect(): Effect {
    const { i32, saved } = this;
    const { processor, memory, block } = this.points[this.depth - 1];
    const from = this.machine.core.blockOf(processor) >> 2;
    const before = (this.depth - 1) * L.PROCESSOR_WORDS;
    const own: number[] = [];
    for (let word = 0; word < L.PROCESSOR_WORDS; word++)
      if (saved[before + word] !== i32[from + word]) own.push(word, i32[from + word]);
    const written: number[] = [];
    const changes = this.changes();
    for (let at = 0; at < changes.length; at += 3)
      if (changes[at + 1] !== changes[at + 2]) written.push(changes[at], changes[at + 2]);
    const effect = { own: Int32Array.from(own), written: Int32Array.from(written), memory: zero(), block: zero() };
    copy(effect.memory, this.memory);
    subtract(effect.memory, memory);
    copy(effect.block, this.blocks[processor]);
    subtract(effect.block, block);
    return effect;
  }

  /**
   * Does at once what steps did that began in the same way: after `save`, and settled. Everything that those steps read, and all
   * words that they wrote, must hold what they held then.
   */
  redo({ own, written, memory, block }: Effect): void {
    const { i32 } = this;
    const { processor } = this.points[this.depth - 1];
    const from = this.machine.core.blockOf(processor) >> 2;
    for (let at = 0; at < own.length; at += 2) i32[from + own[at]] = own[at + 1];
    for (let at = 0; at < written.length; at += 2) {
      const index = written[at];
      this.record(index, i32[index]);
      i32[index] = written[at + 1];
      this.noticeWritten(index);
    }
    this.settled = this.logged;
    add(this.memory, memory);
    add(this.blocks[processor], block);
  }

  /** How many words the machine's memory has. */
  get words(): number {
    return this.i32.length;
  }

  /** A word, by its index in the machine's memory, as in `changes`. */
  word(index: number): number {
    return this.i32[index];
  }

  /** Whether translations have been read from the page at a physical address. */
  isPageTable(address: number): boolean {
    const { u8, layout } = this.machine.core;
    return (u8[layout.attributeBase + Math.floor(address / L.PAGE)] & L.ATTRIBUTE_PAGETABLE) !== 0;
  }

  /** The index of a doubleword of RAM. */
  indexOf(address: number): number {
    return (this.machine.core.layout.ramBase + address) >>> 2;
  }

  /** The index of a monitor word. */
  monitorIndex(index: number): number {
    return (L.MONITOR_BASE >> 2) + index;
  }

  /** The words of a processor's block: a view. */
  blockOf(processor: number): Int32Array {
    const from = this.machine.core.blockOf(processor) >> 2;
    return this.i32.subarray(from, from + L.PROCESSOR_WORDS);
  }

  /** Sum over a processor's block, as of the last `settle`. */
  blockSum(processor: number): Readonly<Hash64> {
    return this.blocks[processor];
  }

  /** A doubleword of RAM, unsigned. */
  dword(address: number): number {
    return this.machine.memory.dword(address);
  }

  /** Why a processor does not run: an L activity. */
  activity(processor: number): number {
    return this.i32[(this.machine.core.blockOf(processor) >> 2) + L.R_ACTIVITY];
  }

  /** A monitor word. */
  monitor(index: number): number {
    return this.i32[(L.MONITOR_BASE >> 2) + index];
  }

  setMonitor(index: number, value: number): void {
    if (index * 4 >= L.MONITOR_SIZE)
      throw new RangeError(`monitor word ${index} asked for; there are ${L.MONITOR_SIZE / 4}`);
    const at = (L.MONITOR_BASE >> 2) + index;
    const old = this.i32[at];
    if (old === value) return;
    this.record(at, old);
    this.i32[at] = value;
  }

  /** Writes a doubleword of RAM behind the guest's back; part of the step in progress. */
  setDword(address: number, value: number): void {
    this.machine.core.linear.physical.store(address, 4, value | 0);
  }

  /** A vector reaches a processor's local APIC: the processor saved last. */
  raise(vector: number): void {
    this.machine.board.lapics.accept(this.points[this.depth - 1].processor, vector, false);
  }

  /** A command to other processors is about to be written: their blocks, APICs included, are not saved, so they are logged. */
  private recordOthers(): void {
    const { processor } = this.points[this.depth - 1];
    for (const { number } of this.machine.processors) {
      if (number === processor) continue;
      const from = this.machine.core.blockOf(number) >> 2;
      this.record(from + L.R_NMI_PENDING, this.i32[from + L.R_NMI_PENDING]);
      for (let word = L.R_APIC; word < L.R_APIC + L.APIC_WORDS; word++) this.record(from + word, this.i32[from + word]);
    }
  }

  private record(index: number, old: number): void {
    if (this.logged === this.log.length) this.log = grown(this.log);
    this.log[this.logged] = index;
    this.log[this.logged + 1] = old;
    this.logged += 2;
  }

  private sumBlock(processor: number, sum: Hash64): void {
    const from = this.materialised(processor);
    sum.low = 0;
    sum.high = 0;
    addWords(sum, this.i32, from, from + L.PROCESSOR_WORDS);
  }

  /** Word index of a processor's block, with its lazily kept flags in place. */
  private materialised(processor: number): number {
    const { core } = this.machine;
    const from = core.blockOf(processor) >> 2;
    const current = core.g[G_CPU];
    core.g[G_CPU] = from;
    core.materialiseFlags();
    core.g[G_CPU] = current;
    return from;
  }
}

/** What steps of one processor have done. */
export interface Effect {
  /** Words of its block, by number, and their new values, in pairs. */
  readonly own: Int32Array;
  /** Other words, by index in the machine's memory, and their new values, in pairs. */
  readonly written: Int32Array;
  /** What they add to the sums. */
  readonly memory: Hash64;
  readonly block: Hash64;
}

/** Where the low half of the interrupt command register is, whose writes reach other processors (SDM vol. 3A, 10.6.1). */
const LOCAL_APIC_COMMAND = 0xfee00300;
/** Interrupts on, and the bit that is always set. */
const EFLAGS_AT_REST = 0x202;

interface Point {
  processor: number;
  logged: number;
  readonly memory: Hash64;
  readonly block: Hash64;
}

function kindOf(locked: boolean, write: boolean): AccessKind {
  if (locked) return "update";
  return write ? "write" : "read";
}

function zero(): Hash64 {
  return { low: 0, high: 0 };
}

function copy(to: Hash64, from: Hash64): void {
  to.low = from.low;
  to.high = from.high;
}

function add(to: Hash64, sum: Hash64): void {
  const low = to.low + sum.low;
  to.low = low >>> 0;
  to.high = (to.high + sum.high + (low > 0xffffffff ? 1 : 0)) >>> 0;
}

function subtract(from: Hash64, sum: Hash64): void {
  const low = from.low - sum.low;
  from.low = low >>> 0;
  from.high = (from.high - sum.high - (low < 0 ? 1 : 0)) >>> 0;
}

function grown(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(words.length * 2);
  larger.set(words);
  return larger;
}
