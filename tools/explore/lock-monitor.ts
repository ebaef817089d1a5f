// What every lock must hold to: one owner at a time, no update lost, and where it promises them, turns and handles left alone.

import type { Hooks, Monitor, Watch } from "./monitor.ts";

/** One address of code, or several. */
export type Places = number | readonly number[];

/** The places in programs between which a lock is acquired, held and released. */
export interface LockMarks {
  /** Before the call of the acquiring routine. */
  readonly acquire: Places;
  /** The acquiring routine has returned. */
  readonly enter: number;
  /** Right behind the last instruction of the section. */
  readonly leave: number;
  /** The releasing routine has returned. Without it, the processor has released when it acquires again. */
  readonly released?: Places;
  /** Word that each processor adds one to inside the section. */
  readonly section: number;
  /** How often all programs together do that; `processors` times `rounds`, unless given. */
  readonly additions?: number;
  /** The lock's word. Where given, processors must enter in the order in which they first write it. */
  readonly fifo?: number;
  /** Address of each processor's handle, and bytes of one: nobody else may touch it once its release has returned. */
  readonly handles?: readonly number[];
  readonly handleBytes?: number;
  /** A DPC that takes the lock too, in the middle of the program: where it has got it, and is about to give it back. */
  readonly dpc?: { readonly enter: number; readonly leave: number };
  /** Words that count, by processor, how often others than the program have added one to the section. */
  readonly others?: number;
}

// Where a processor stands. A processor can be held up anywhere in its private instructions, so it is taken to enter as soon
// as it could have come to that mark, and to leave, or to begin anew, only with the next visible step after the mark: what
// could overlap on some schedule overlaps here.
const IDLE = 0;
const BEGINNING = 1;
const ACQUIRING = 2;
const INSIDE = 3;
const LEAVING = 4;
const RELEASING = 5;

/** Of a DPC. */
const DPC_IN = 1;
const DPC_LEAVING = 2;

const CONTENDED = "contended";
const USED = "used";

/** Mutual exclusion, no lost update; FIFO and handles left alone where the marks tell of them. */
export function lockMonitor(marks: LockMarks): Monitor {
  return {
    // A phase for each of 32 processors, the length of the queue, the queue, and whose DPC is inside.
    words: 3 * MOST_PROCESSORS + 1,
    demands: {
      [USED]: "the section is empty: nothing in it writes memory that processors share, so the lock protects nothing",
      [CONTENDED]: "no processor ever wants the lock while another has it: this proves nothing about the lock",
    },
    watch: (watch) => watchLock(marks, watch),
  };
}

const MOST_PROCESSORS = 32;
const QUEUE_LENGTH = MOST_PROCESSORS;
const QUEUE = QUEUE_LENGTH + 1;
const DPC_INSIDE = QUEUE + MOST_PROCESSORS;

function watchLock(marks: LockMarks, watch: Watch): Hooks {
  const { words, processors, rounds } = watch;
  const { handles = [], handleBytes = 0 } = marks;
  const phase = (processor: number): number => words.get(processor);
  const dpcIsInside = (processor: number): boolean => words.get(DPC_INSIDE + processor) !== 0;
  const isInside = (processor: number): boolean =>
    phase(processor) === INSIDE || phase(processor) === LEAVING || dpcIsInside(processor);
  const wantsIn = (processor: number): boolean => phase(processor) === BEGINNING || phase(processor) === ACQUIRING;
  const another = (processor: number, is: (other: number) => boolean): number | undefined => {
    for (let other = 0; other < processors; other++) if (other !== processor && is(other)) return other;
    return undefined;
  };
  const queue = (): number[] => range(words.get(QUEUE_LENGTH)).map((place) => words.get(QUEUE + place) - 1);

  const begin = (processor: number): void => {
    const isIdle = phase(processor) === IDLE || (marks.released === undefined && phase(processor) >= LEAVING);
    if (isIdle) words.set(processor, BEGINNING);
  };

  const isAcquiring = (processor: number): boolean => phase(processor) === ACQUIRING;
  const noteContention = (processor: number): void => {
    const meets = isInside(processor) ? isAcquiring : isAcquiring(processor) ? isInside : undefined;
    if (meets && another(processor, meets) !== undefined) watch.saw(CONTENDED);
  };

  const enter = (processor: number): void => {
    const owner = another(processor, isInside);
    words.set(processor, INSIDE);
    if (owner !== undefined) watch.violated("mutual exclusion", `P${processor} is inside together with P${owner}`);
    noteContention(processor);
    if (marks.fifo === undefined) return;
    const waiting = queue();
    if (waiting[0] !== processor) {
      const first = waiting[0] === undefined ? "before joining the queue" : `before P${waiting[0]}, who came first`;
      watch.violated("first come, first served", `P${processor} enters ${first}`);
    }
    leaveQueue(waiting.indexOf(processor), waiting);
  };

  const enterInDpc = (processor: number): void => {
    if (dpcIsInside(processor)) return;
    const owner = phase(processor) === INSIDE ? processor : another(processor, isInside);
    words.set(DPC_INSIDE + processor, DPC_IN);
    if (owner !== undefined)
      watch.violated("mutual exclusion", `P${processor}'s DPC is inside together with P${owner}`);
  };

  const leaveQueue = (place: number, waiting: readonly number[]): void => {
    if (place < 0) return;
    waiting.forEach((_, at) => {
      if (at >= place) words.set(QUEUE + at, (waiting[at + 1] ?? -1) + 1);
    });
    words.set(QUEUE_LENGTH, waiting.length - 1);
  };

  const join = (processor: number): void => {
    const waiting = queue();
    if (waiting.includes(processor)) return;
    words.set(QUEUE + waiting.length, processor + 1);
    words.set(QUEUE_LENGTH, waiting.length + 1);
  };

  const checkHandles = (processor: number, address: number): void => {
    handles.forEach((handle, owner) => {
      if (owner === processor || address < handle || address >= handle + handleBytes) return;
      if (phase(owner) === IDLE || phase(owner) === BEGINNING)
        watch.violated(
          "handles are left alone",
          `P${processor} touches ${watch.nameOf(address)}, which P${owner} has not given to the lock or has got back`,
        );
    });
  };

  return {
    marks: new Map<number, (processor: number) => void>([
      ...placesOf(marks.acquire).map((place) => [place, begin] as const),
      [marks.enter, (processor) => phase(processor) <= ACQUIRING && enter(processor)],
      [marks.leave, (processor) => phase(processor) === INSIDE && words.set(processor, LEAVING)],
      ...placesOf(marks.released ?? []).map(
        (place) => [place, (processor: number) => words.set(processor, IDLE)] as const,
      ),
      ...(marks.dpc
        ? ([
            [marks.dpc.enter, enterInDpc],
            [marks.dpc.leave, (processor: number) => words.set(DPC_INSIDE + processor, DPC_LEAVING)],
          ] as const)
        : []),
    ]),
    step(processor) {
      if (words.get(DPC_INSIDE + processor) === DPC_LEAVING) words.set(DPC_INSIDE + processor, 0);
      if (phase(processor) === BEGINNING) words.set(processor, ACQUIRING);
      else if (phase(processor) === LEAVING) words.set(processor, RELEASING);
      noteContention(processor);
    },
    access(processor, kind, address) {
      if (phase(processor) === INSIDE && kind !== "read" && watch.isShared(address)) watch.saw(USED);
      if (address === marks.fifo && kind !== "read" && wantsIn(processor)) join(processor);
      checkHandles(processor, address);
    },
    finished() {
      const found = watch.dword(marks.section);
      let expected = marks.additions ?? processors * rounds;
      if (marks.others !== undefined) for (const n of range(processors)) expected += watch.dword(marks.others + 4 * n);
      if (found !== expected)
        watch.violated("no lost update", `the section's word is ${found} in the end, not ${expected}`);
    },
  };
}

function placesOf(places: Places): readonly number[] {
  return typeof places === "number" ? [places] : places;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}
