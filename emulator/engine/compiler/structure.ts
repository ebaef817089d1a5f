// The control flow of a region as WebAssembly can say it: dominator tree, loops, merges, and where budgets are looked at
// (N. Ramsey, "Beyond Relooper", 2022; K. Cooper, T. Harvey, K. Kennedy, "A Simple, Fast Dominance Algorithm", 2001).
import type { Region } from "./region.ts";

/** One block's place in the structure. Nodes are numbered in reverse postorder; node 0 is the dispatcher. */
export interface Structure {
  /** EIP of a node's block (that of node 0 means nothing), and node of an EIP. */
  readonly starts: readonly number[];
  readonly nodeOf: ReadonlyMap<number, number>;
  /** Nodes whose code follows a labelled block of the node's, the last one in order first. */
  readonly merges: readonly (readonly number[])[];
  readonly isMerge: readonly boolean[];
  readonly isLoop: readonly boolean[];
  /** Heads of loops that no other loop is part of. */
  readonly isInnermost: readonly boolean[];
  /** Index of a node among the dispatch targets, or -1. */
  readonly targetOf: readonly number[];
  /** EIPs of the dispatch targets: those of the region, and the heads of loops with more than one way in. */
  readonly targets: readonly number[];
  /** Dispatch targets, as nodes, that a call, return or indirect jump at a node's end is known to go to, by address. */
  readonly jumps: readonly (readonly number[])[];
  /** Does an edge go back to a loop's head that encloses it? If not, and it goes back, it goes to a dispatch target. */
  dominates(node: number, other: number): boolean;
  /**
   * The budget is looked at whenever a node is come to: at heads of loops, and now and then on a long way. At other dispatch
   * targets it is when they are come to from outside, or by an edge back. So every circle has a look.
   */
  readonly isLook: readonly boolean[];
  /** For nodes where the budget is looked at, ever: instructions on the longest way to the next look; 0 elsewhere. */
  readonly needed: readonly number[];
}

/** Ways without a look at the budget are not much longer than this, so that not much of a slice is left to steps. */
export const LONGEST_WAY = 24;

/** The structure of a region, with looks at the budget after ways of hardly more than so many instructions. */
export function structure(region: Region, longestWay = LONGEST_WAY): Structure {
  const targets = [...region.targets];
  for (;;) {
    const graph = orderBlocks(region, targets);
    const dominators = dominatorsOf(graph);
    const entered = irreducible(graph, dominators);
    if (entered.length === 0) return describe(region, targets, graph, dominators, longestWay);
    for (const node of entered) targets.push(graph.starts[node]);
  }
}

interface Graph {
  readonly starts: number[];
  readonly nodeOf: Map<number, number>;
  readonly successors: number[][];
  readonly predecessors: number[][];
}

/** EIPs of the blocks that a block goes on at within the region, by edges that are not the dispatcher's. */
function edgesOf(region: Region, start: number): number[] {
  const block = region.blocks.get(start);
  if (block === undefined) return [];
  const { end, target, next } = block;
  const edges = end === "fall" ? [next] : end === "jump" ? [target] : end === "condition" ? [target, next] : [];
  return edges.filter((eip) => region.blocks.has(eip));
}

/** As `edgesOf`, and from a call to the routine, where it is known, and to where that comes back. */
function courseOf(region: Region, start: number): number[] {
  const block = region.blocks.get(start);
  if (block?.end !== "call" && block?.end !== "indirect call") return edgesOf(region, start);
  return [block.next, block.target].filter((eip) => region.blocks.has(eip));
}

/** EIPs that can be reached from some, each before those it leads to, but for edges back. */
function reversePostorder(roots: readonly number[], edgesFrom: (start: number) => readonly number[]): number[] {
  const postorder: number[] = [];
  const seen = new Set<number>();
  // Depth first without recursion: blocks in a row can be many.
  for (const root of [...roots].reverse()) {
    if (seen.has(root)) continue;
    seen.add(root);
    const stack = [{ start: root, edges: edgesFrom(root), at: 0 }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.at === top.edges.length) {
        postorder.push(top.start);
        stack.pop();
        continue;
      }
      const next = top.edges[top.at++];
      if (seen.has(next)) continue;
      seen.add(next);
      stack.push({ start: next, edges: edgesFrom(next), at: 0 });
    }
  }
  return postorder.reverse();
}

function orderBlocks(region: Region, targets: readonly number[]): Graph {
  // Routines before the places they return to, so that most ways lead forward.
  const course = reversePostorder(targets, (start) => courseOf(region, start));
  const isTarget = new Set(targets);
  const roots = course.filter((eip) => isTarget.has(eip));
  const starts = [0, ...reversePostorder(roots, (start) => edgesOf(region, start))];
  const nodeOf = new Map<number, number>();
  for (let node = 1; node < starts.length; node++) nodeOf.set(starts[node], node);
  const node = (eip: number): number => nodeOf.get(eip) ?? 0;
  const successors = starts.map((start, index) => (index === 0 ? targets : edgesOf(region, start)).map(node));
  const predecessors: number[][] = starts.map(() => []);
  successors.forEach((list, from) => {
    for (const to of list) predecessors[to].push(from);
  });
  return { starts, nodeOf, successors, predecessors };
}

/** Immediate dominators; in reverse postorder a dominator has the smaller number. */
function dominatorsOf({ starts, predecessors }: Graph): number[] {
  const immediate = new Array<number>(starts.length).fill(-1);
  immediate[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let node = 1; node < starts.length; node++) {
      let best = -1;
      for (const from of predecessors[node]) {
        if (immediate[from] < 0) continue;
        best = best < 0 ? from : common(immediate, from, best);
      }
      if (immediate[node] !== best) {
        immediate[node] = best;
        changed = true;
      }
    }
  }
  return immediate;
}

function common(immediate: readonly number[], a: number, b: number): number {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x > y) x = immediate[x];
    else y = immediate[y];
  }
  return x;
}

function dominates(immediate: readonly number[], node: number, other: number): boolean {
  let at = other;
  while (at > node) at = immediate[at];
  return at === node;
}

/** Nodes that edges go back to without being dominated by them, and that are no dispatch targets yet. */
function irreducible({ successors }: Graph, immediate: readonly number[]): number[] {
  const found = new Set<number>();
  successors.forEach((list, from) => {
    for (const to of list)
      if (to <= from && !dominates(immediate, to, from) && !successors[0].includes(to)) found.add(to);
  });
  return [...found];
}

function describe(
  region: Region,
  targets: readonly number[],
  graph: Graph,
  immediate: readonly number[],
  longestWay: number,
): Structure {
  const { starts, nodeOf, successors } = graph;
  const count = starts.length;
  const isLoop = new Array<boolean>(count).fill(false);
  const forward = new Array<number>(count).fill(0);
  successors.forEach((list, from) => {
    for (const to of list) {
      if (to > from) forward[to]++;
      else if (dominates(immediate, to, from)) isLoop[to] = true;
    }
  });
  const targetOf = new Array<number>(count).fill(-1);
  targets.forEach((eip, index) => {
    targetOf[nodeOf.get(eip) ?? 0] = index;
  });
  targetOf[0] = -1;
  const isMerge = starts.map((_, node) => node > 0 && (forward[node] > 1 || targetOf[node] >= 0));
  const merges: number[][] = starts.map(() => []);
  for (let node = count - 1; node > 0; node--) if (isMerge[node]) merges[immediate[node]].push(node);
  const jumps = jumpsOf(region, graph, targetOf);
  const { isLook, longest } = looksOf(region, graph, jumps, isLoop, longestWay);
  return {
    starts,
    nodeOf,
    merges,
    isMerge,
    isLoop,
    isInnermost: isLoop.map((is, head) => is && isInnermost(graph, immediate, isLoop, head)),
    targetOf,
    targets,
    jumps,
    dominates: (node, other) => dominates(immediate, node, other),
    isLook,
    needed: longest.map((length, node) => (isLook[node] || targetOf[node] >= 0 ? Math.max(length, 1) : 0)),
  };
}

/** No other head is among the nodes that lead back to a head without passing it. */
function isInnermost(graph: Graph, immediate: readonly number[], isLoop: readonly boolean[], head: number): boolean {
  const within = new Set([head]);
  const open = graph.predecessors[head].filter((from) => dominates(immediate, head, from));
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (within.has(node)) continue;
    if (isLoop[node]) return false;
    within.add(node);
    open.push(...graph.predecessors[node]);
  }
  return true;
}

function jumpsOf(region: Region, { starts, nodeOf }: Graph, targetOf: readonly number[]): number[][] {
  const nodesOf = (eips: readonly number[]): number[] => {
    const nodes = [...new Set(eips)].map((eip) => nodeOf.get(eip) ?? 0).filter((node) => targetOf[node] >= 0);
    return nodes.sort((a, b) => (starts[a] >>> 0) - (starts[b] >>> 0));
  };
  const returns = nodesOf(region.returns);
  // Where nothing but the entry is known, jumps are not looked for.
  const routines = region.targets.length > 1 ? nodesOf(region.routines) : [];
  return starts.map((start) => {
    const block = region.blocks.get(start);
    if (block?.end === "call") return nodesOf([block.target]);
    if (block?.end === "return") return returns;
    return block?.end === "indirect call" || block?.end === "indirect jump" ? routines : [];
  });
}

/** Where the budget is looked at whoever comes, and instructions on the longest way from each node to the next look. */
function looksOf(
  region: Region,
  { starts, successors }: Graph,
  jumps: readonly (readonly number[])[],
  isLoop: readonly boolean[],
  longestWay: number,
): { isLook: boolean[]; longest: number[] } {
  const isLook = [...isLoop];
  const longest = starts.map(() => 0);
  for (let node = starts.length - 1; node > 0; node--) {
    const own = region.blocks.get(starts[node])?.instructions.length ?? 0;
    let rest = 0;
    for (const to of [...successors[node], ...jumps[node]]) {
      if (to <= node || isLook[to]) continue;
      if (own + longest[to] > longestWay) isLook[to] = true;
      else rest = Math.max(rest, longest[to]);
    }
    longest[node] = own + rest;
  }
  return { isLook, longest };
}
