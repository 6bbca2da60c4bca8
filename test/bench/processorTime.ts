import { readdirSync, readFileSync } from "node:fs"
import type { Share } from "./report.ts"

/** Processor time so far in milliseconds, by what it was used for; and what the machine did not use. */
export type ProcessorTimes = Readonly<Record<string, number>>

const POSTGRESQL = "PostgreSQL"

/** What a process is by its command line; ours are below this process. */
const KINDS = [
  ["executor", "dist/main.js"],
  ["mint server", "programs/network"],
  ["bare loop", "programs/bareMints"],
  ["chain", "anvil"],
  [POSTGRESQL, "postgres"]
] as const

const BENCHMARK = "this benchmark, the way to a node that is far away"
const OTHERS = "other programs of the machine"
const IDLE = "idle"

/** Fields of `/proc/<pid>/stat` behind the program's name, and of `/proc/stat`; units on Linux. Source: proc(5). */
const PARENT = 1
const USER_TICKS = 11
const SYSTEM_TICKS = 12
/** User and system time of children that have ended. */
const ENDED_TICKS = [13, 14]
const IDLE_TICKS = [3, 4]
const BUSY_TICKS = [0, 1, 2, 5, 6, 7]
const MS_PER_TICK = 10

interface Process {
  readonly pid: number
  readonly parent: number
  readonly ms: number
  readonly endedMs: number
}

const sumOf = (ticks: ReadonlyArray<number>, fields: ReadonlyArray<number>): number =>
  fields.reduce((sum, field) => sum + (ticks[field] ?? 0), 0) * MS_PER_TICK

const processOf = (pid: number): ReadonlyArray<Process> => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ").map(Number) ?? []
    return [
      {
        pid,
        parent: fields[PARENT] ?? 0,
        ms: sumOf(fields, [USER_TICKS, SYSTEM_TICKS]),
        endedMs: sumOf(fields, ENDED_TICKS)
      }
    ]
  } catch {
    // It has just ended.
    return []
  }
}

const kindOf = (pid: number): string => {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8")
    return KINDS.find(([, words]) => command.includes(words))?.[0] ?? BENCHMARK
  } catch {
    return BENCHMARK
  }
}

/** Of this process, of all below it by kind, of the rest of the machine, and what no program used. */
export const processorTimes = (): ProcessorTimes => {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processOf(Number(name)))
  const childrenOf = Map.groupBy(all, ({ parent }) => parent)
  const below = (one: Process): ReadonlyArray<Process> => [one, ...(childrenOf.get(one.pid) ?? []).flatMap(below)]
  const times: Record<string, number> = { [BENCHMARK]: 0 }
  for (const { pid, ms, endedMs } of all.filter((one) => one.pid === process.pid).flatMap(below)) {
    const kind = kindOf(pid)
    // A server of PostgreSQL ends with its connection, and its time is then with its parent.
    times[kind] = (times[kind] ?? 0) + ms + (kind === POSTGRESQL ? endedMs : 0)
  }
  const ours = Object.values(times).reduce((sum, ms) => sum + ms, 0)
  const ticks = readFileSync("/proc/stat", "utf8").split("\n")[0]?.trim().split(/\s+/).slice(1).map(Number) ?? []
  return { ...times, [OTHERS]: sumOf(ticks, BUSY_TICKS) - ours, [IDLE]: sumOf(ticks, IDLE_TICKS) }
}

/** What lies between two moments, for one batch. */
export const processorShares = (before: ProcessorTimes, after: ProcessorTimes, batches: number): ReadonlyArray<Share> =>
  Object.entries(after)
    .map(([kind, ms]) => ({ kind, perBatch: (ms - (before[kind] ?? 0)) / batches }))
    .filter(({ perBatch }) => perBatch > 0)
