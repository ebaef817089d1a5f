// Abstract models of two locks, written from their pseudo-code and not from the kernel's instructions, and their exhaustive
// search: plain breadth-first search over plain objects, one memory access a step.

/** How finely a model counts: the pseudo-code's steps, or the accesses that the kernel's instructions make of them. */
export type Grain = "pseudo-code" | "instructions";

export interface ModelOptions {
  readonly processors: number;
  readonly rounds: number;
  readonly grain: Grain;
  /** Locals keep their values after their last use, as registers do; otherwise they are cleared. */
  readonly keepsLocals: boolean;
  /** A processor overwrites its node with garbage between two rounds. */
  readonly poisons: boolean;
}

export interface ModelResult {
  readonly verdict: "verified" | "violated";
  readonly states: number;
  /** What memory holds at the ends of all executions, as texts of JSON in alphabetical order. */
  readonly outcomes: readonly string[];
}

interface Process {
  at: string;
  rounds: number;
  local: Record<string, number>;
}

/** Memory, by name; a lock's word holds 0 or a processor's number plus one, a node's Lock holds flags over LOCK. */
type Memory = Record<string, number>;
interface State {
  readonly memory: Memory;
  readonly processes: readonly Process[];
}

/** One access of process `me`; returns where it goes on. */
type Step = (memory: Memory, process: Process, me: number) => string;

/** A lock: its steps by name, which begin with `begin`; `section` is where the section begins, `released` its end. */
interface Model {
  readonly steps: Readonly<Record<string, Step>>;
  /** Locals still needed at a step; none where it is not named. */
  readonly live: Readonly<Record<string, readonly string[]>>;
  readonly begin: string;
  memory(processors: number): Memory;
  poison(memory: Memory, me: number): readonly string[];
  outcome(memory: Memory): Record<string, string>;
}

const WAIT = 1;
const OWNER = 2;
const LOCK = 16;
const GARBAGE = -1;

/** The section: one load and one store of one word. */
const section = (released: string): Record<string, Step> => ({
  load: (memory, { local }) => {
    local["sum"] = memory["section"]!;
    return "store";
  },
  store: (memory, { local }) => {
    memory["section"] = local["sum"]! + 1;
    return released;
  },
});

/** The list-based queued lock of Mellor-Crummey and Scott with wait and owner bits in each node. */
function queuedLock(grain: Grain): Model {
  const fine = grain === "instructions";
  const set = (memory: Memory, me: number, flag: number, then: string): string => {
    memory[`lock${me}`] = LOCK | flag;
    return then;
  };
  const setFinely = (flag: number, then: string): Step => {
    return (memory, { local }, me) => {
      memory[`lock${me}`] = local["own"]! | flag;
      return then;
    };
  };
  const look = (then: string): Step => {
    return (memory, { local }, me) => {
      local["own"] = memory[`lock${me}`]!;
      return then;
    };
  };
  return {
    begin: "a1",
    steps: {
      a1: (memory, _, me) => {
        memory[`next${me}`] = 0;
        return "a2";
      },
      a2: (memory, _, me) => set(memory, me, 0, "a3"),
      a3: (memory, { local }, me) => {
        local["previous"] = memory["tail"]!;
        memory["tail"] = me + 1;
        return local["previous"] === 0 ? "a4" : "a5";
      },
      a4: fine ? look("a4 store") : (memory, _, me) => set(memory, me, OWNER, "load"),
      "a4 store": setFinely(OWNER, "load"),
      a5: fine ? look("a5 store") : (memory, _, me) => set(memory, me, WAIT, "a6"),
      "a5 store": setFinely(WAIT, "a6"),
      a6: (memory, { local }, me) => {
        memory[`next${local["previous"]! - 1}`] = me + 1;
        return "a7";
      },
      a7: (memory, _, me) => ((memory[`lock${me}`]! & WAIT) !== 0 ? "a7" : "load"),
      ...section("r1"),
      r1: look("r1 store"),
      "r1 store": (memory, { local }, me) => {
        memory[`lock${me}`] = local["own"]! & ~(WAIT | OWNER);
        return "r2";
      },
      r2: (memory, { local }, me) => {
        local["next"] = memory[`next${me}`]!;
        return local["next"] === 0 ? "r4" : "r6";
      },
      r4: (memory, _, me) => {
        if (memory["tail"] !== me + 1) return "r5";
        memory["tail"] = 0;
        return "released";
      },
      r5: (memory, { local }, me) => {
        local["next"] = memory[`next${me}`]!;
        if (local["next"] === 0) return "r5";
        return fine ? "r5 again" : "r6";
      },
      "r5 again": (memory, { local }, me) => {
        local["next"] = memory[`next${me}`]!;
        return "r6";
      },
      r6: (memory, _, me) => {
        memory[`next${me}`] = 0;
        return "r7";
      },
      r7: (memory, { local }) => {
        local["theirs"] = memory[`lock${local["next"]! - 1}`]!;
        return "r7 store";
      },
      "r7 store": (memory, { local }) => {
        memory[`lock${local["next"]! - 1}`] = local["theirs"]! ^ (WAIT | OWNER);
        return "released";
      },
    },
    live: {
      "a4 store": ["own"],
      a5: ["previous"],
      "a5 store": ["own", "previous"],
      a6: ["previous"],
      store: ["sum"],
      "r1 store": ["own"],
      r6: ["next"],
      r7: ["next"],
      "r7 store": ["next", "theirs"],
    },
    memory: (processors) => {
      const nodes = Array.from({ length: processors }, (_, me) => [
        [`next${me}`, GARBAGE],
        [`lock${me}`, GARBAGE],
      ]);
      return { tail: 0, section: 0, ...Object.fromEntries(nodes.flat()) };
    },
    poison: (_, me) => [`next${me}`, `lock${me}`],
    outcome: ({ tail, section, ...nodes }) => {
      const handle = (number: number): string => (number === 0 ? "0" : `handle${number - 1}`);
      const lock = (word: number): string => ((word & 3) === 0 ? "spinLock" : `spinLock|${word & 3}`);
      const fields = Object.entries(nodes).map(([name, value]) =>
        name.startsWith("next")
          ? [`handle${name.slice(4)}.Next`, handle(value)]
          : [`handle${name.slice(4)}.Lock`, lock(value)],
      );
      return { spinLock: handle(tail!), section: `${section}`, ...Object.fromEntries(fields) };
    },
  };
}

/** The test-and-test-and-set lock. */
function spinLock(): Model {
  return {
    begin: "claim",
    steps: {
      claim: (memory) => {
        const held = memory["word"] === 1;
        memory["word"] = 1;
        return held ? "look" : "load";
      },
      look: (memory) => (memory["word"] === 1 ? "look" : "claim"),
      ...section("release"),
      release: (memory) => {
        memory["word"] = 0;
        return "released";
      },
    },
    live: { store: ["sum"] },
    memory: () => ({ word: 0, section: 0 }),
    poison: () => [],
    outcome: ({ word, section }) => ({ spinLock: `${word}`, section: `${section}` }),
  };
}

/** All schedules of a model: `queued-lock` or `spin-lock`. */
export function searchModel(name: "queued-lock" | "spin-lock", options: ModelOptions): ModelResult {
  const model = name === "queued-lock" ? queuedLock(options.grain) : spinLock();
  const { processors, rounds } = options;
  const start: State = {
    memory: model.memory(processors),
    processes: Array.from({ length: processors }, () => ({ at: model.begin, rounds, local: {} })),
  };
  const seen = new Set([JSON.stringify(start)]);
  const outcomes = new Set<string>();
  let violated = false;
  const queue = [start];
  for (const state of queue) {
    if (inside(state) > 1) violated = true;
    let stuck = true;
    for (let me = 0; me < processors; me++) {
      const next = after(model, options, state, me);
      if (!next) continue;
      const key = JSON.stringify(next);
      if (key !== JSON.stringify(state)) stuck = false;
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push(next);
    }
    const over = state.processes.every(({ at }) => at === "over");
    if (over) {
      outcomes.add(JSON.stringify(model.outcome(state.memory)));
      if (state.memory["section"] !== processors * rounds) violated = true;
    } else if (stuck) violated = true;
  }
  return { verdict: violated ? "violated" : "verified", states: seen.size, outcomes: [...outcomes].sort() };
}

function inside({ processes }: State): number {
  return processes.filter(({ at }) => at === "load" || at === "store").length;
}

/** The state after one step of process `me`; undefined when its program is over. */
function after(model: Model, options: ModelOptions, state: State, me: number): State | undefined {
  const next = structuredClone(state);
  const process = next.processes[me]!;
  if (process.at === "over") return undefined;
  const garbage = model.poison(next.memory, me);
  const poisoning = process.at.startsWith("poison ");
  if (poisoning) {
    const word = Number(process.at.slice("poison ".length));
    next.memory[garbage[word]!] = GARBAGE;
    process.at = word + 1 < garbage.length ? `poison ${word + 1}` : model.begin;
  } else {
    process.at = model.steps[process.at]!(next.memory, process, me);
    if (process.at === "released") {
      process.rounds--;
      const again = options.poisons && garbage.length > 0 ? "poison 0" : model.begin;
      process.at = process.rounds > 0 ? again : "over";
    }
  }
  if (!options.keepsLocals) {
    const live = model.live[process.at] ?? [];
    process.local = Object.fromEntries(Object.entries(process.local).filter(([name]) => live.includes(name)));
  } else process.local = Object.fromEntries(Object.entries(process.local).sort(([a], [b]) => (a < b ? -1 : 1)));
  return next;
}
