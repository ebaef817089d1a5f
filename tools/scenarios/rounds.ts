// Scenarios whose programs do what they do once.

import { ScenarioError, type ScenarioOptions } from "#explore";

export function onlyOneRound(name: string, { rounds }: ScenarioOptions): void {
  if (rounds !== 1) throw new ScenarioError(`${name}: ${rounds} rounds asked for; its programs have one`);
}
