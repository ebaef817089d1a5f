// What a command is: words, options, and a function that runs; parsing is not its business.
import type { Argv, InferredOptionTypes, Options, PositionalOptions } from "yargs";
import { CommandError, type ExitCode } from "./exit.ts";
import type { Host } from "./host.ts";
import type { Grammar } from "./plain.ts";

type Positionals = Readonly<Record<string, PositionalOptions>>;
type NamedOptions = Readonly<Record<string, Options>>;

interface Specification<P extends Positionals, O extends NamedOptions> {
  /** Its name and positional arguments as yargs writes them: `run [image]`. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly positionals: P;
  readonly options: O;
  /** Command lines that work, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  run(args: InferredOptionTypes<P> & InferredOptionTypes<O>, host: Host): Promise<ExitCode>;
}

/** A command as the command line sees it. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly grammar: Grammar;
  /** Every spelling of every option, without dashes. */
  readonly optionNames: readonly string[];
  describe(yargs: Argv): Argv;
  run(args: unknown, host: Host): Promise<ExitCode>;
}

/** Makes a command; the types of what `run` is handed follow from the options. */
export function command<const P extends Positionals, const O extends NamedOptions>(
  specification: Specification<P, O>,
): Command {
  const { usage, summary, positionals, options, examples, run } = specification;
  return {
    name: usage.split(" ")[0] as string,
    usage,
    summary,
    grammar: { usage, positionals, options },
    optionNames: Object.entries(options).flatMap(([name, { alias }]) => [name, ...[alias ?? []].flat()]),
    describe(yargs) {
      let described = yargs;
      for (const [name, positional] of Object.entries(positionals)) described = described.positional(name, positional);
      described = described.options(options);
      for (const [line, what] of examples) described = described.example(`ring0 ${line}`, what);
      return described;
    },
    async run(args, host) {
      const given = args as InferredOptionTypes<P> & InferredOptionTypes<O>;
      for (const [name, { array }] of Object.entries<Options>(options)) {
        const value: unknown = given[name as keyof typeof given];
        if (!array && Array.isArray(value))
          throw new CommandError(`${spelling(name)} is given ${value.length} times; once would do`);
      }
      return run(given, host);
    },
  };
}

/** An option as it is typed: `-m`, `--smp`. */
export function spelling(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}
