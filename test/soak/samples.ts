import { Effect } from "effect"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import type { Held } from "./flat.ts"

/** Whose connections are counted: a name, and the port of this machine that they lead to. */
export type Ports = Readonly<Record<string, number>>

/** Main memory, open files and sockets of a process, and its connections to each of `ports`. Linux only: proc(5). */
export const heldBy = (pid: number, ports: Ports): Held => {
  const handles = readdirSync(`/proc/${pid}/fd`)
  const sockets = new Set(handles.flatMap((handle) => socketOf(pid, handle) ?? []))
  const remote = connections().filter(({ inode }) => sockets.has(inode))
  const memoryKb = Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
  const byPort = Object.entries(ports).map(([name, port]) => [
    `connections to the ${name}`,
    remote.filter((one) => one.port === port).length
  ])
  return { "memory, MB": memoryKb / 1_000, "open handles": handles.length, ...Object.fromEntries(byPort) }
}

/** The inode of a handle that is a socket. A handle that was closed meanwhile is none. */
const socketOf = (pid: number, handle: string): string | undefined => {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${handle}`))?.[1]
  } catch {
    return undefined
  }
}

/** State 01. Source: the kernel's include/net/tcp_states.h. */
const ESTABLISHED = "01"

/** Every established connection of this machine over IPv4: the port that it leads to, and its inode. */
const connections = (): ReadonlyArray<{ readonly port: number; readonly inode: string }> =>
  readFileSync("/proc/net/tcp", "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === ESTABLISHED)
    .map(([, , remote = "", , , , , , , inode = ""]) => ({
      port: Number.parseInt(remote.split(":")[1] ?? "", 16),
      inode
    }))

/** A process that is this slow to answer is stuck, or this machine is. */
const ANSWER_TIMEOUT_MS = 10_000

/** How long the executor takes to answer what costs it nothing, in milliseconds: what its event loop is late by. */
export const answerMs = (url: string): Effect.Effect<number> =>
  Effect.promise(async () => {
    const startMs = performance.now()
    await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).then(
      (answer) => answer.text(),
      () => ""
    )
    return performance.now() - startMs
  })
