import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"

/**
 * What a running process is called and when it started, as one text; undefined where there is none. A pid alone says
 * little: numbers are used again, in containers on every start.
 */
export const processIdentity = (pid: number): string | undefined => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    return process.platform === "linux" ? fromProc(pid) : fromPs(pid)
  } catch {
    // There is no such process.
    return undefined
  }
}

/** Fields of `/proc/<pid>/stat` after the name in parentheses (proc(5)): the state is the first, the start the 20th. */
const fromProc = (pid: number): string | undefined => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"))
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const isZombie = fields[0] === "Z"
  return isZombie ? undefined : `${name} ${fields[19]}`
}

const fromPs = (pid: number): string =>
  execFileSync("ps", ["-o", "comm=,lstart=", "-p", String(pid)], { encoding: "utf8", stdio: "pipe" }).trim()
