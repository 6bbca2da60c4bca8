import { parseArgs } from "node:util"
import { mutation, wasPatched } from "./mutant.ts"
import { type Fault, FAULT_NAMES } from "./faults.ts"
import type { Invariant } from "./oracle/Oracle.ts"
import { Report } from "./report.ts"
import { type Outcome, run, shrink } from "./run.ts"

const { values } = parseArgs({
  options: {
    /** How many seeds, one after the other. */
    seeds: { type: "string" },
    /** The first one. */
    seed: { type: "string", default: "1" },
    /** How long things go wrong, in virtual hours. */
    hours: { type: "string", default: "0.7" },
    /** Shows the whole story of every run. */
    trace: { type: "boolean", default: false },
    /** Goes on after a violation. */
    "keep-going": { type: "boolean", default: false },
    /** Searches for the smallest set of faults that breaks it too. */
    shrink: { type: "boolean", default: false },
    /** Only these kinds of fault. */
    only: { type: "string", multiple: true },
    /** These kinds of fault much more often. */
    frequent: { type: "string", multiple: true, default: [] },
    /** Violations of these invariants count and stop nothing. */
    ignore: { type: "string", multiple: true, default: [] },
    mutation: { type: "string" },
    quiet: { type: "boolean", default: false }
  }
})

const hours = Number(values.hours)
const first = Number(values.seed)
const count = Number(values.seeds ?? (process.argv.includes("--seed") ? 1 : 100))
const kindsOf = (names: ReadonlyArray<string>) => new Set(FAULT_NAMES.filter((name) => names.includes(name)))
const only = values.only && kindsOf(values.only)
const frequent = kindsOf(values.frequent)
const ignored = new Set(values.ignore as ReadonlyArray<Invariant>)

const options = (seed: number, kinds: ReadonlySet<Fault> | undefined = only) => ({
  seed,
  hours,
  ignored,
  frequent,
  ...(kinds && { only: kinds })
})

const tell = ({ seed, violations, trace }: Outcome): void => {
  console.log(`seed ${seed}: ${violations.map(({ invariant, what }) => `${invariant} ${what}`).join("; ")}`)
  if (values.quiet || values["keep-going"]) return
  if (!values.trace) console.log(trace.slice(-80).join("\n"))
  console.log(`Again: npm run simulate -- --seed ${seed} --hours ${hours} --trace`)
}

const report = new Report()
let broken = 0
for (let seed = first; seed < first + count; seed++) {
  const outcome = run(options(seed))
  report.add(outcome)
  if (values.trace) console.log(outcome.trace.join("\n"))
  if (outcome.violations.length === 0) continue
  broken++
  tell(outcome)
  if (values.shrink) {
    const kinds = shrink(outcome, (fewer) => run(options(seed, fewer)))
    console.log(`The same with only: ${[...kinds].map((name) => `--only "${name}"`).join(" ")}`)
  }
  if (!values["keep-going"]) break
}
if (mutation !== undefined && !wasPatched()) throw new Error(`a file of "${mutation.name}" was never loaded`)
if (!values.quiet) console.log(report.text())
process.exitCode = broken === 0 ? 0 : 1
