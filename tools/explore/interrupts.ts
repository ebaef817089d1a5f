// Interrupts of an exploration: those that agents may raise at any boundary, and those that processors send each other.

import { layout, type Rewinder } from "#emulator";
import type { InterruptAgent } from "./scenario.ts";

/** Every processor's own APIC, by physical address. */
export const LOCAL_APIC = 0xfee00000;
/** Addresses that stand for "others send this vector to this processor": behind the APIC's page, where nothing is. */
export const MESSAGES = 0xfee01000;
const APIC_TPR = 0x80;
const APIC_PPR = 0xa0;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const TIMER_CURRENT = 0x390;
const ICR_MODE = 0x700;
const ICR_LOGICAL = 0x800;
const SELF = 1;
const ALL_BUT_SELF = 3;
const EFLAGS_IF = 0x200;

/** A message to others: `news` where it was not known that they are sent to, `unknown` where it is not a fixed one. */
export type Sent = "nothing new" | "news" | "unknown";

export class InterruptAgents {
  readonly agents: readonly InterruptAgent[];
  /** Monitor words that they take: what is left of each one's budget. */
  readonly words: number;
  /** The machine is a booted one, with APICs that are in use. */
  readonly areModelled: boolean;
  private readonly rewinder: Rewinder;
  /** The highest vector that others send to a processor; 0: none. */
  private readonly sentTo: Uint8Array;
  private readonly of: readonly (readonly number[])[];

  constructor(rewinder: Rewinder, agents: readonly InterruptAgent[], areModelled: boolean) {
    const { machine } = rewinder;
    this.rewinder = rewinder;
    this.agents = agents;
    this.words = agents.length;
    this.areModelled = areModelled;
    this.sentTo = new Uint8Array(machine.processors.length);
    this.of = machine.processors.map(({ number }) =>
      [...agents.keys()].filter((agent) => agents[agent]!.processor === number),
    );
    agents.forEach(({ budget }, agent) => {
      rewinder.setMonitor(agent, budget);
    });
    rewinder.rehash();
  }

  /** The numbers of those that interrupt a processor. */
  agentsOf(processor: number): readonly number[] {
    return this.of[processor]!;
  }

  /** At a processor's present boundary there is something to choose or to be told by others. */
  mayCome(processor: number): boolean {
    if (this.of[processor]!.length === 0 && this.sentTo[processor] === 0) return false;
    if (!this.isOpen(processor)) return false;
    if (this.of[processor]!.some((agent) => this.isOffered(agent))) return true;
    const vector = this.sentTo[processor]!;
    return vector !== 0 && this.passes(processor, vector) && !this.isPending(processor);
  }

  /** Whether an agent may interrupt its processor where that stands now. */
  canCome(agent: number): boolean {
    return this.isOffered(agent) && this.isOpen(this.agents[agent]!.processor);
  }

  private isOffered(agent: number): boolean {
    const { processor, vector } = this.agents[agent]!;
    return this.rewinder.monitor(agent) > 0 && this.passes(processor, vector);
  }

  /** Uses one of an agent's interrupts: its vector reaches the processor saved last. */
  take(agent: number): void {
    this.rewinder.setMonitor(agent, this.rewinder.monitor(agent) - 1);
    this.rewinder.raise(this.agents[agent]!.vector);
  }

  /** It is halted, and an interrupt is there that ends that. */
  wakes(processor: number): boolean {
    return this.areModelled && this.isOpen(processor) && this.isPending(processor);
  }

  /** An instruction boundary with interrupts on. */
  private isOpen(processor: number): boolean {
    const { core } = this.rewinder.machine;
    const at = core.blockOf(processor) >> 2;
    const { i32 } = core;
    return (
      (i32[at + layout.R_EFLAGS]! & EFLAGS_IF) !== 0 &&
      i32[at + layout.R_SHADOW] === 0 &&
      i32[at + layout.R_MICRO_INDEX] === 0 &&
      i32[at + layout.R_ACTIVITY]! <= layout.HALTED
    );
  }

  private passes(processor: number, vector: number): boolean {
    const { lapics } = this.rewinder.machine.board;
    return vector >>> 4 > lapics.read(processor, APIC_PPR, 0) >>> 4;
  }

  taskPriority(processor: number): number {
    return this.rewinder.machine.board.lapics.read(processor, APIC_TPR, 0);
  }

  /** The words of the machine that hold what its APIC knows: the index of the first one, and how many. */
  apicWords(processor: number): { first: number; count: number } {
    const { core } = this.rewinder.machine;
    return { first: (core.blockOf(processor) >> 2) + layout.R_APIC, count: layout.APIC_WORDS };
  }

  private isPending(processor: number): boolean {
    return this.rewinder.machine.board.interruptPending(processor);
  }

  // --- messages between processors ---

  isSentTo(processor: number): boolean {
    return this.sentTo[processor] !== 0;
  }

  /** A read of the timer's count. */
  isClock(address: number): boolean {
    return address === LOCAL_APIC + TIMER_CURRENT;
  }

  /** A command written here may reach others, as far as is known. */
  reachesOthers(address: number): boolean {
    return address === LOCAL_APIC + ICR_LOW && this.sentTo.some((vector) => vector !== 0);
  }

  /** A processor has written its APIC. */
  sent(sender: number, address: number, command: number): Sent {
    if (address !== LOCAL_APIC + ICR_LOW) return "nothing new";
    const shorthand = (command >>> 18) & 3;
    if (shorthand === SELF) return "nothing new";
    if ((command & (ICR_MODE | ICR_LOGICAL)) !== 0) return "unknown";
    const { machine } = this.rewinder;
    const target = machine.board.lapics.read(sender, ICR_HIGH, 0) >>> 24;
    let news: Sent = "nothing new";
    for (const { number } of machine.processors) {
      const isMeant = shorthand === 0 ? number === target : shorthand !== ALL_BUT_SELF || number !== sender;
      if (!isMeant || this.sentTo[number]! >= (command & 0xff)) continue;
      this.sentTo[number] = command & 0xff;
      news = "news";
    }
    return news;
  }

  /** Whom others send what, as addresses of nothing real: 256 a processor, and the vector. */
  sharedAddresses(): number[] {
    const addresses = Array.from(this.sentTo, (vector, processor) => MESSAGES + processor * 256 + vector);
    return addresses.filter((address) => address % 256 !== 0);
  }

  /** Takes back what sharedAddresses gave; false for other addresses. */
  share(address: number): boolean {
    if (address < MESSAGES) return false;
    this.sentTo[(address - MESSAGES) >>> 8] = address & 0xff;
    return true;
  }
}
