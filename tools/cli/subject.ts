// What a command is about: an image file, or a program that makes one.
import { readFileSync } from "node:fs";
import type { Image } from "#asm";
import { CommandError } from "./exit.ts";
import { importProgram } from "./program.ts";
import { isProgram } from "./words.ts";

export interface Subject {
  /** How messages call it: as the user did. */
  readonly name: string;
  /** The image as a file. */
  readonly bytes: Uint8Array;
  /** What the assembler knows of it, when it comes from a program. */
  readonly image?: Image;
  /** There is no image: the machine starts in a ROM, and `bytes` are those. */
  readonly isRom?: boolean;
}

/** A machine with a ROM and nothing else. Throws CommandError. */
export function readRom(file: string): Subject {
  return { name: file, bytes: readBytes(file), isRom: true };
}

/** Reads an image, or runs a program file for the image it exports. Throws CommandError. */
export async function readSubject(file: string): Promise<Subject> {
  if (!isProgram(file)) return { name: file, bytes: readBytes(file) };
  readBytes(file); // a missing file is told as any other
  const image = await importProgram(file);
  return { name: file, bytes: image.elf(), image };
}

/** A file's bytes. Throws CommandError when it cannot be read. */
export function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "there is no such file"
        : code === "EISDIR"
          ? "it is a folder"
          : `it cannot be read (${code})`;
    throw new CommandError(`${file}: ${why}`);
  }
}
