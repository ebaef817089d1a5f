// The tool's own log, for who wonders what it is doing: pino's JSON lines on standard error, and none unless asked for.
import type { Output } from "./host.ts";

export const LOG_LEVELS = ["silent", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  /** What is begun and ended. */
  info(data: object, message: string): void;
  /** What happens in between. */
  debug(data: object, message: string): void;
}

export const silent: Log = { info() {}, debug() {} };

/** A log that writes to `output`. pino is loaded only for one that says something. */
export async function openLog(level: LogLevel, output: Output): Promise<Log> {
  if (level === "silent") return silent;
  const { pino } = await import("pino");
  const logger = pino({ level, base: null }, { write: (line: string) => output.write(line) });
  return {
    info: (data, message) => logger.info(data, message),
    debug: (data, message) => logger.debug(data, message),
  };
}
