// Command lines that are written plainly, read without yargs: loading that takes longer than starting the machine.
import type { Options, PositionalOptions } from "yargs";

/** What a command takes, as it says itself. */
export interface Grammar {
  readonly usage: string;
  readonly positionals: Readonly<Record<string, PositionalOptions>>;
  readonly options: Readonly<Record<string, Options>>;
}

/** Kinds of options that are left to yargs. */
const UNUSUAL = ["array", "coerce", "conflicts", "count", "implies", "normalize", "number"] as const;

/**
 * The arguments that `words` come to: options by their full names, each at most once and followed by its value, and positional
 * words. Undefined where it takes more than that to read them, or to say what is wrong with them.
 */
export function readPlainly(
  { usage, positionals, options }: Grammar,
  words: readonly string[],
): Record<string, unknown> | undefined {
  const args: Record<string, unknown> = {};
  const places = Object.keys(positionals);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!word.startsWith("-")) {
      const place = places.shift();
      if (place === undefined) return undefined;
      args[place] = word;
      continue;
    }
    const name = /^-(?:-([a-z][a-z0-9-]+)|([a-z]))$/i.exec(word)?.slice(1).find(Boolean) ?? "";
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined || name in args || UNUSUAL.some((kind) => kind in option)) return undefined;
    if (option.type === "boolean") {
      args[name] = true;
      continue;
    }
    const value = words[++i];
    if (value === undefined || value.startsWith("-") || value === "") return undefined;
    if (option.choices !== undefined && !option.choices.includes(value)) return undefined;
    args[name] = value;
  }
  if (places.some((place) => usage.includes(`<${place}>`))) return undefined;
  for (const [name, option] of Object.entries(options)) {
    if (name in args) continue;
    if (option.demandOption !== undefined || "array" in option) return undefined;
    if (option.default !== undefined) args[name] = option.default;
  }
  return args;
}
