// What words of a command line look like, before anybody has looked closer.

/** The name of a program (FILE.ts) rather than of an image. */
export function isProgram(word: string): boolean {
  return /\.[cm]?[jt]s$/.test(word);
}

/** A file's name rather than a command's. */
export function isFile(word: string): boolean {
  return word.includes("/") || word.includes(".");
}
