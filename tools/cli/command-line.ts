// The command line: which command is meant, its options, its help; and what becomes of errors.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type { Argv } from "yargs";
import { type Command, spelling } from "./command.ts";
import type { Commands } from "./commands.ts";
import { CommandError, EXIT, type ExitCode } from "./exit.ts";
import type { Host } from "./host.ts";
import { LOG_LEVELS, type LogLevel, openLog } from "./log.ts";
import { readPlainly } from "./plain.ts";
import { didYouMean } from "./suggest.ts";
import { isFile } from "./words.ts";

/** Options that every command has, beside help and version. */
const common = {
  "log-level": {
    choices: LOG_LEVELS,
    default: "silent",
    requiresArg: true,
    describe: "Say what the tool does",
  },
} as const;
const COMMON = [...Object.keys(common), "help", "version"];

/** Runs what the words say; gives the exit code. Messages go to the host's streams, never to the process's own. */
export async function runCommandLine(words: readonly string[], host: Host, commands: Commands): Promise<ExitCode> {
  try {
    return await perform(withCommand(words, commands), host, commands);
  } catch (error) {
    return report(error, host);
  }
}

/** A bare image path, or options alone, mean `run`. */
function withCommand(words: readonly string[], commands: Commands): string[] {
  const [first] = words;
  if (first === undefined) return ["--help"];
  if (["--help", "-h", "help", "--version"].includes(first))
    return [first === "help" || first === "-h" ? "--help" : first];
  if (Object.hasOwn(commands, first)) return [...words];
  return first.startsWith("-") || isFile(first) || existsSync(first) ? ["run", ...words] : [...words];
}

async function perform(words: readonly string[], host: Host, commands: Commands): Promise<ExitCode> {
  const load = commands[words[0] as string];
  return load ? performCommand(await load(), words, host) : performNone(words, host, commands);
}

async function performCommand(one: Command, words: readonly string[], host: Host): Promise<ExitCode> {
  const { grammar } = one;
  const plain = readPlainly({ ...grammar, options: { ...grammar.options, ...common } }, words.slice(1));
  const args = plain ?? (await readWithYargs(one, words, host));
  if (args === undefined) return EXIT.ok;
  const log = await openLog(args["log-level"] as LogLevel, host.err);
  return one.run(args, { ...host, log });
}

/**
 * The arguments of a command, or undefined when help was all that was wanted. To yargs the command is the only one there is,
 * which saves it the making of texts that nobody asked for.
 */
export async function readWithYargs(
  one: Command,
  words: readonly string[],
  host: Host,
): Promise<Record<string, unknown> | undefined> {
  let found: Record<string, unknown> | undefined;
  const parser = (await parserFor(`ring0 ${one.name}`, (message) => explain(message, words, one))).command(
    one.usage.replace(one.name, "$0"),
    one.summary,
    (y) => one.describe(y),
    (args) => {
      found = args;
    },
  );
  await parse(parser, words.slice(1), host);
  return found;
}

/** No command: help, the version, or a word that means nothing. */
async function performNone(words: readonly string[], host: Host, commands: Commands): Promise<ExitCode> {
  let parser = (await parserFor("ring0", (message) => explainNone(message, words, commands)))
    .usage(
      "ring0 COMMAND\n\nA multicore IA-32 PC that runs the same way every time, and a test bench for lock code.\n" +
        "A bare image means run: ring0 kernel.elf",
    )
    .demandCommand(1);
  for (const load of words[0] === "--version" ? [] : Object.values(commands)) {
    const { usage, summary } = await load();
    parser = parser.command(usage, summary);
  }
  await parse(parser, words, host);
  return EXIT.ok;
}

/** What all command lines have in common; `explain` says what yargs found wrong. */
async function parserFor(name: string, explain: (message: string) => string): Promise<Argv> {
  const { default: yargs } = await import("yargs");
  const { version } = createRequire(import.meta.url)("ring0/package.json") as { version: string };
  return yargs()
    .scriptName(name)
    .parserConfiguration({ "camel-case-expansion": false, "greedy-arrays": false })
    .version(version)
    .alias("help", "h")
    .options(common)
    .strict()
    .wrap(110)
    .exitProcess(false)
    .epilogue(
      "Exit codes: 0 ok, 1 guest failed, 2 usage or bad input, 3 a limit ended it, 4 nothing ran, 5 violation,\n" +
        "6 guest crashed, 70 not implemented or our bug.",
    )
    .fail((message, error) => {
      throw error && error.name !== "YError"
        ? error
        : new CommandError(explain(message ?? error?.message).replace(/\s*\n\s*/g, " "));
    });
}

async function parse(parser: Argv, words: readonly string[], host: Host): Promise<void> {
  await parser.parseAsync([...words], {}, (_error, _arguments, output) => {
    if (output) host.out.write(`${output}\n`);
  });
}

/** The words that yargs does not know, or undefined where it complains of something else. */
function unknownWords(message: string): string[] | undefined {
  return /^Unknown (?:arguments?|commands?): (.*)$/.exec(message)?.[1]?.split(", ");
}

/** No such command: the one that was probably meant. */
function explainNone(message: string, [word]: readonly string[], commands: Commands): string {
  const unknown = unknownWords(message);
  if (!unknown) return message;
  const names = Object.keys(commands);
  const found = word ?? unknown[0] ?? "";
  return `no command "${found}"${didYouMean(found, names) || `; there are ${names.join(", ")}, and a bare image means run`}`;
}

/** What yargs found wrong with a command's words, with the one that was probably meant. */
function explain(message: string, words: readonly string[], { name, usage, optionNames }: Command): string {
  const unknown = unknownWords(message);
  if (!unknown) return message;
  const word = unknown.find((one) => one !== words[0]) ?? (unknown[0] as string);
  const isOption = words.some((given) => given.startsWith(`-${word}`) || given.startsWith(`--${word}`));
  if (!isOption) return `${name}: "${word}" is one word too many; ring0 ${usage} would do`;
  const spellings = [...optionNames, ...COMMON].map(spelling);
  const long = words.map((given) => `-${given}`).find((given) => spellings.includes(given)); // `-smp 4`, as QEMU has it
  if (long) return `${name}: no option ${long.slice(1)}; did you mean "${long}"?`;
  const hint = word.length === 1 ? "" : didYouMean(spelling(word), spellings);
  return `${name}: no option ${spelling(word)}${hint || `; ring0 ${name} --help lists them`}`;
}

/** Errors of the user are one line; what is left is our bug, with its trace. */
function report(error: unknown, host: Host): ExitCode {
  if (error instanceof CommandError) {
    host.err.write(`ring0: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof Error && error.name === "ImageError") {
    host.err.write(`ring0: ${error.message}\n`);
    return EXIT.usage;
  }
  host.err.write(`ring0: our own bug, please report it:\n${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.ours;
}
