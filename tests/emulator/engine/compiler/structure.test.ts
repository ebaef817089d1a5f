// Control flow of regions: whatever way a program takes, it looks at its budget in time.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Block, Region } from "../../../../emulator/engine/compiler/region.ts";
import { structure } from "../../../../emulator/engine/compiler/structure.ts";
import { decode } from "../../../../emulator/isa/index.ts";
import { Random } from "../../fuzz/random.ts";

const test = suite("structure of regions");

const nop = decode(new Uint8Array([0x90]), 0, 1, 32);
if (typeof nop === "string") throw new Error(nop);

/** Blocks 1 to `count` of up to twenty instructions, wired at random; some go on outside. */
function randomRegion(random: Random): Region {
  const count = 1 + random.below(30);
  const blocks = new Map<number, Block>();
  const somewhere = (): number => 1 + random.below(count + 1);
  for (let start = 1; start <= count; start++) {
    const instructions = Array.from({ length: 1 + random.below(20) }, () => nop as Exclude<typeof nop, string>);
    const end = random.pick(["fall", "jump", "condition", "condition", "call", "return"] as const);
    blocks.set(start, { start, instructions, end, target: somewhere(), next: somewhere() });
  }
  const others = Array.from({ length: random.below(4) }, () => 1 + random.below(count));
  const targets = [...new Set([1, ...others])];
  return { entry: 1, blocks, targets, returns: targets, routines: targets, instructions: count };
}

/** Where a block may go on within the region, and whether by a call or return. */
function ways(region: Region, block: Block): { to: number; dispatched: boolean }[] {
  const { end, target, next } = block;
  const direct = end === "fall" ? [next] : end === "jump" ? [target] : end === "condition" ? [target, next] : [];
  const found = direct.filter((to) => region.blocks.has(to)).map((to) => ({ to, dispatched: false }));
  const jumps = end === "return" ? region.returns : end === "call" ? region.targets.filter((to) => to === target) : [];
  return [...found, ...jumps.map((to) => ({ to, dispatched: true }))];
}

test("no way between two looks at the budget is longer than the first one allowed for", () => {
  const random = new Random(1);
  for (let round = 0; round < 800; round++) {
    const region = randomRegion(random);
    const longestWay = random.pick([1, 20, 64]);
    const shape = structure(region, longestWay);
    for (let walk = 0; walk < 20; walk++) {
      let at = region.targets[random.below(region.targets.length)];
      let from = Number.POSITIVE_INFINITY;
      let allowed = 0;
      for (let step = 0; step < 100; step++) {
        const node = shape.nodeOf.get(at) ?? -1;
        const block = region.blocks.get(at);
        if (node < 0 || block === undefined) break;
        // From outside, and by edges back, dispatch targets are entered with a look.
        if (shape.isLook[node] || node <= from) allowed = shape.needed[node];
        allowed -= block.instructions.length;
        assert.ok(allowed >= 0, `round ${round}: ${-allowed} too many at block ${at}`);
        assert.ok(allowed <= longestWay, `round ${round}: ${allowed} are left to steps at block ${at}`);
        const further = ways(region, block);
        if (further.length === 0) break;
        const way = further[random.below(further.length)];
        if (way.dispatched) assert.ok(shape.jumps[node].includes(shape.nodeOf.get(way.to) ?? 0));
        from = node;
        at = way.to;
      }
    }
  }
});

test("an edge back leads to a loop around it, or to a dispatch target", () => {
  const random = new Random(2);
  for (let round = 0; round < 400; round++) {
    const region = randomRegion(random);
    const shape = structure(region);
    for (const block of region.blocks.values()) {
      const from = shape.nodeOf.get(block.start);
      if (from === undefined) continue;
      for (const { to, dispatched } of ways(region, block)) {
        const node = shape.nodeOf.get(to) ?? 0;
        if (dispatched || node > from) continue;
        assert.ok(shape.dominates(node, from) ? shape.isLoop[node] : shape.targetOf[node] >= 0, `round ${round}`);
      }
    }
  }
});

test("what is not dominated by one block alone can be branched to", () => {
  const random = new Random(3);
  for (let round = 0; round < 400; round++) {
    const region = randomRegion(random);
    const shape = structure(region);
    const forward = new Map<number, number>();
    for (const block of region.blocks.values()) {
      const from = shape.nodeOf.get(block.start);
      if (from === undefined) continue;
      for (const { to, dispatched } of ways(region, block)) {
        const node = shape.nodeOf.get(to) ?? 0;
        if (!dispatched && node > from) forward.set(node, (forward.get(node) ?? 0) + 1);
      }
    }
    for (const [node, edges] of forward) if (edges > 1) assert.ok(shape.isMerge[node], `round ${round}`);
    for (const target of region.targets) assert.ok(shape.isMerge[shape.nodeOf.get(target) ?? 0]);
  }
});

test.run();
