// Scenarios of a few instructions for the tests: a program for each processor, a stack each, no properties of their own.

import { type Assembler, type Data, data, type Image, link, proc } from "#asm";
import type { Monitor, Scenario } from "#explore";

const STACK_BYTES = 64;

/** Programs that share `words`, which are zero at the start; their final values are the outcome. A program ends in HLT. */
export function programs(
  bodies: readonly ((a: Assembler) => void)[],
  words: readonly Data[],
  monitors: (image: Image) => readonly Monitor[] = () => [],
): Scenario {
  const procedures = bodies.map((body, processor) => proc(`program${processor}`, body));
  const stacks = data("stacks", bodies.length * STACK_BYTES);
  const [first, ...others] = procedures;
  const image = link(first!, { base: 0x8000, multiboot: false, include: [...others, ...words, stacks] });
  return {
    name: "test",
    processors: bodies.length,
    rounds: 1,
    image,
    starts: procedures.map((procedure, processor) => ({
      eip: image.addressOf(procedure),
      esp: image.addressOf(stacks) + (processor + 1) * STACK_BYTES,
    })),
    monitors: monitors(image),
    words: new Map(words.map((word) => [image.addressOf(word), word.name])),
  };
}
