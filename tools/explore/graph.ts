// The transitions of a search, kept to find the simplest schedule to a state once the search is over.

/** A step of one processor, or an interrupt of it, from one state to another. */
interface Edge {
  readonly from: number;
  readonly action: number;
  readonly to: number;
}

export class Graph {
  private edges = new Int32Array(3 << 12);
  count = 0;

  add(from: number, action: number, to: number): void {
    if (this.count * 3 === this.edges.length) {
      const larger = new Int32Array(this.edges.length * 2);
      larger.set(this.edges);
      this.edges = larger;
    }
    this.edges.set([from, action, to], this.count * 3);
    this.count++;
  }

  /**
   * The schedules from state 0 to each of `goals` with the fewest switches between processors and interrupts, and among these
   * the fewest steps: the actions in order. `owners` says which processor each action is one of: action n is a step of processor n,
   * and those beyond are interrupts. A goal may demand which action is taken there; that one is not included.
   */
  simplest(goals: readonly Goal[], states: number, owners: readonly number[]): Route[] {
    const leaving = this.leaving(states);
    // A node is a state together with the action taken last (`owners.length`: none yet).
    const first = owners.length;
    const width = first + 1;
    const costs = (last: number, action: number): boolean =>
      owners[action] !== action || (last !== first && owners[last] !== owners[action]);
    const cost = new Float64Array(states * width).fill(Number.POSITIVE_INFINITY);
    const cameFrom = new Int32Array(states * width).fill(-1);
    const level = (node: number): number => Math.floor(cost[node]! / SWITCH);
    cost[first] = 0;
    // Costs grow by 1 or by SWITCH + 1, so a queue for each number of switches is enough, sorted by steps when its turn comes.
    const queues: number[][] = [[first]];
    for (let switches = 0; switches < queues.length; switches++) {
      const steps: number[][] = [];
      const enter = (node: number): void => {
        (steps[cost[node]! % SWITCH] ??= []).push(node);
      };
      for (const node of queues[switches]!) if (level(node) === switches) enter(node);
      for (let step = 0; step < steps.length; step++) {
        for (const node of steps[step] ?? []) {
          if (cost[node] !== switches * SWITCH + step) continue;
          const last = node % width;
          for (let at = leaving.start[(node - last) / width]!; at < leaving.start[(node - last) / width + 1]!; at++) {
            const { action, to } = this.edge(leaving.edges[at]!);
            const turned = costs(last, action);
            const next = to * width + action;
            const total = cost[node]! + 1 + (turned ? SWITCH : 0);
            if (total >= cost[next]!) continue;
            cost[next] = total;
            cameFrom[next] = node;
            if (turned) (queues[switches + 1] ??= []).push(next);
            else enter(next);
          }
        }
      }
    }
    return goals.map((goal) => {
      let best = -1;
      let least = Number.POSITIVE_INFINITY;
      for (let last = 0; last < width; last++) {
        const node = goal.state * width + last;
        const total = cost[node]! + (goal.action === undefined || !costs(last, goal.action) ? 0 : SWITCH);
        if (total < least) {
          least = total;
          best = node;
        }
      }
      const schedule: number[] = [];
      for (let node = best; cameFrom[node]! >= 0; node = cameFrom[node]!) schedule.push(node % width);
      return { schedule: schedule.reverse(), cost: least };
    });
  }

  private edge(index: number): Edge {
    const at = index * 3;
    return { from: this.edges[at]!, action: this.edges[at + 1]!, to: this.edges[at + 2]! };
  }

  /** Edge numbers by the state they leave. */
  private leaving(states: number): { start: Int32Array; edges: Int32Array } {
    const start = new Int32Array(states + 2);
    for (let i = 0; i < this.count; i++) start[this.edges[i * 3]! + 2]!++;
    for (let i = 2; i < start.length; i++) start[i]! += start[i - 1]!;
    const edges = new Int32Array(this.count);
    for (let i = 0; i < this.count; i++) edges[start[this.edges[i * 3]! + 1]!++] = i;
    return { start, edges };
  }
}

/** A state, and perhaps an action that is taken there. */
export interface Goal {
  readonly state: number;
  readonly action?: number;
}

export interface Route {
  readonly schedule: readonly number[];
  /** Compares routes: the smaller the simpler. */
  readonly cost: number;
}

/** More than any schedule has steps: one switch weighs more than all of them. */
const SWITCH = 2 ** 30;
