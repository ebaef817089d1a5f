// `ring0 bench`: how fast the machine is on small programs, beside other emulators that are here.
import { readFileSync } from "node:fs";
import {
  comparisonOf,
  isSound,
  peersOf,
  type Report,
  rows,
  bench as run,
  tableOf,
  USUAL_PEERS,
  USUAL_ROWS,
} from "../../bench/index.ts";
import { command } from "../command.ts";
import { CommandError, EXIT } from "../exit.ts";
import { StatusLine } from "../host.ts";
import { integer } from "../options.ts";
import { didYouMean } from "../suggest.ts";

const MOST_PROCESSORS = 32;

export const bench = command({
  usage: "bench",
  summary: "Measure the machine on small programs, beside v86 and QEMU where they are",
  positionals: {},
  options: {
    rows: {
      type: "string",
      requiresArg: true,
      describe: `Rows to measure: ${rows.map(({ name }) => name).join("; ")}`,
    },
    peers: {
      type: "string",
      default: USUAL_PEERS.join(),
      requiresArg: true,
      describe: "Emulators: interpreter, compiled, inexact (budgets are not kept to), v86, qemu, qemu-icount",
    },
    smp: { type: "string", default: "1,2,4,8", requiresArg: true, describe: "Processors, for rows that take several" },
    base: { type: "string", requiresArg: true, describe: "The emulator that others are compared with" },
    runs: { type: "string", default: "3", requiresArg: true, describe: "Runs of each; the median counts" },
    seconds: { type: "string", default: "0.5", requiresArg: true, describe: "Length of a run" },
    compare: { type: "string", requiresArg: true, describe: "An earlier --json output to compare with" },
    v86: { type: "string", requiresArg: true, describe: "Folder of the npm package v86" },
    json: { type: "boolean", default: false, describe: "Print one JSON object" },
  },
  examples: [
    ["bench", "everything, some minutes"],
    ["bench --rows 'arithmetic;calls' --peers compiled,qemu", "two rows on two emulators"],
    ["bench --peers compiled,inexact --base inexact", "what exact budgets cost"],
    ["bench --rows 'own work' --smp 1,2,4,8,16,32", "what more processors cost"],
    ["bench --json > before.json", "and later: bench --compare before.json"],
  ],
  async run(args, host) {
    const wanted =
      args.rows === undefined
        ? [...USUAL_ROWS]
        : chosen(
            "--rows",
            args.rows,
            ";",
            rows.map(({ name }) => name),
          );
    const all = peersOf(args.v86);
    const names = chosen(
      "--peers",
      args.peers,
      ",",
      all.map(({ name }) => name),
    );
    const peers = all.filter((peer) => {
      if (!names.includes(peer.name)) return false;
      const why = peer.missing();
      if (why !== "") host.err.write(`ring0: without ${peer.name}: ${why}\n`);
      return why === "";
    });
    if (peers.length === 0) return EXIT.nothing;
    const processors = args.smp.split(",").map((text) => integer("--smp", text, 1, MOST_PROCESSORS));
    const runs = integer("--runs", args.runs, 1, 100);
    const seconds = Number(args.seconds);
    if (!(seconds > 0 && seconds <= 60)) throw new CommandError(`--seconds ${args.seconds}: up to 60 would do`);
    const base = args.base ?? (peers.find(({ name }) => name === "v86") ?? peers[0])?.name ?? "";
    if (!peers.some(({ name }) => name === base)) throw new CommandError(`--base ${base}: it is not measured`);
    const earlier = args.compare === undefined ? undefined : readReport(args.compare);

    const status = new StatusLine(host);
    const report = await run({ rows: wanted, peers, processors, runs, seconds }, (what) => status.show(() => what));
    status.clear();
    if (args.json) host.out.write(`${JSON.stringify(report)}\n`);
    else {
      const { processor, node } = report.host;
      host.out.write(`${processor}, Node ${node}; ${report.clock} time, median of ${runs}\n${tableOf(report, base)}\n`);
    }
    const about = args.json ? host.err : host.out;
    if (earlier) about.write(`\n${comparisonOf(report, earlier)}\n`);
    return isSound(report) ? EXIT.ok : EXIT.failed;
  },
});

/** The names in a list. Throws CommandError for one that nothing has. */
function chosen(option: string, text: string, separator: string, known: readonly string[]): string[] {
  const names = text.split(separator).map((name) => name.trim());
  for (const name of names)
    if (!known.includes(name))
      throw new CommandError(
        `${option}: no "${name}"${didYouMean(name, known) || `; there are ${known.join(`${separator} `)}`}`,
      );
  return names;
}

function readReport(file: string): Report {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    if (report.version === 1 && Array.isArray(report.measurements)) return report;
  } catch {
    // told below, with everything else that it may be
  }
  throw new CommandError(`--compare ${file}: what ring0 bench --json printed would do`);
}
