import type { Readiness } from "../../operator/reports/status.ts"
import { counted } from "../../domain/text.ts"
import { ownedInWords } from "../../domain/Runner.ts"
import { duration } from "../../domain/time.ts"
import type { Look } from "./paint.ts"
import { ageOf, hang } from "./text.ts"

/** Whether everything that is needed answers: in one line where it does, else what does not. */
export const readinessWords = (
  readiness: Readiness,
  look: Look,
  { sweeps }: { readonly sweeps: boolean } = { sweeps: true }
): ReadonlyArray<string> => {
  const { paint } = look
  const lead = readiness.ready ? paint.good("✅ Ready") : paint.bad("❌ Not ready")
  const [first = "", ...more] = hang(
    readiness.ready ? "✅ Ready: " : "❌ Not ready: ",
    [...figures(readiness), ...(sweeps ? [lastSweep(readiness, look)] : [])].join(", ")
  )
  const head = first.replace(readiness.ready ? "✅ Ready" : "❌ Not ready", () => lead)
  const announced = announcementLines(readiness, look).flatMap((line) => hang("   📡 ", line))
  const runners = runnerLines(readiness).flatMap((line) => hang("   🧩 ", line))
  return [head, ...more, ...announced, ...runners, ...problems(readiness).flatMap((problem) => hang("   ❌ ", problem))]
}

const lastSweep = ({ sweep }: Readiness, { nowMs }: Look): string =>
  `last sweep ${sweep.last === undefined ? "none yet" : `${ageOf(sweep.last.at, nowMs)} ago`}`

const figures = ({ database, rpc, mintServer }: Readiness): ReadonlyArray<string> => {
  const well = rpc.filter(({ ok }) => ok)
  const heads = rpc.flatMap(({ head, headAgeMs }) => (head === undefined ? [] : [{ head, ageMs: headAgeMs ?? 0 }]))
  const newest = heads.toSorted((a, b) => (a.head < b.head ? 1 : -1))[0]
  const block = newest === undefined ? "" : ` (block ${newest.head}, ${duration(newest.ageMs)} old)`
  return [
    `database ${took(database)}`,
    `${well.length} of ${counted(rpc.length, "node")}${block}`,
    `mint server ${took(mintServer)}`
  ]
}

const took = ({ ok, tookMs }: { readonly ok: boolean; readonly tookMs: number }): string =>
  ok ? `${Math.round(tookMs)} ms` : "does not answer"

/** Where nodes announce new blocks. One that does not is among the problems. */
const announcementLines = ({ announcements = [] }: Readiness, { nowMs }: Look): ReadonlyArray<string> =>
  announcements.flatMap(({ host, stage, head, heardAt }) => {
    if (stage === "down") return []
    if (stage === "unused") return [`${host} announces new blocks when something waits for one`]
    if (stage === "connecting" || heardAt === undefined) return [`${host} is being connected to`]
    return [`${host} announces new blocks: ${head}, ${ageOf(heardAt, nowMs)} ago`]
  })

/** Where several executors share the database: what each of them owns. */
const runnerLines = ({ runners = [] }: Readiness): ReadonlyArray<string> =>
  runners.map(
    ({ name, version, isThis, parts }) =>
      `${isThis ? "this executor" : "executor"} ${name} (${version}) owns ${ownedInWords(parts)}`
  )

const problems = ({
  database,
  rpc,
  announcements = [],
  mintServer,
  sweep,
  due,
  incidents
}: Readiness): ReadonlyArray<string> =>
  [
    { name: "Database", ...database },
    ...rpc.map((node) => ({ name: `Node ${node.host}`, ...node })),
    ...announcements.map((one) => ({ name: `New blocks from ${one.host}`, ...one })),
    { name: "Mint server", ...mintServer },
    { name: "Sweeps", ...sweep },
    { name: "Overdue", ...due },
    ...incidents.map((incident) => ({ name: "Environment", ...incident }))
  ].flatMap(({ name, ok, problem }) => (ok ? [] : [`${name}: ${problem ?? "not well"}`]))
