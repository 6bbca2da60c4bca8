import { spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

/** Folders of programs without those of packages, which bring a Node of their own. */
const machinePath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter)

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a command left behind. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * A shell of the machine, in which `node` is the machine's own. README allows any from 20 on; CI has Node 20.
 * `major` is 0 where the machine has none: then the commands that begin with `node` cannot be tried, and the test fails.
 */
export const machineNode = () => {
  const path = machinePath
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .find(isProgram)
  const version = path === undefined ? "" : spawnSync(path, ["--version"], { encoding: "utf8" }).stdout
  return { path, major: Number(/^v(\d+)/.exec(version)?.[1] ?? 0) }
}

/** Types a line into a shell of the machine. */
export const type = (line: string, cwd: string, env: Readonly<Record<string, string>>): Outcome => {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", line], {
    cwd,
    env: { PATH: machinePath, HOME: cwd, ...env },
    encoding: "utf8",
    timeout: 60_000
  })
  return { code: status, stdout, stderr }
}

/** None of these is anybody's; each has parts that a pattern of a search would show. */
export const SECRETS = {
  DATABASE_URL: "postgres://executor:Tr0ub4dor.and+3@127.0.0.1:1/mints",
  BASE_SEPOLIA_RPC_URL: "http://127.0.0.1:1/v2/aBcD3fGh1JkLmN0p",
  AGENT_ENCRYPTION_KEY: "5f".repeat(32),
  AI_AGENT_PRIVATE_KEY: `0x${"7e".repeat(32)}`,
  OPS_TOKEN: "a-token-of.operators+0123456789"
}

/** Parts of them, as they are and as a pattern has them. */
export const SECRET_PARTS = [
  "Tr0ub4dor",
  "aBcD3fGh1JkLmN0p",
  "5f5f5f5f",
  "5[fF]5",
  "7e7e7e7e",
  "7[eE]7",
  "operators+012"
]

/** One line, with what to type. */
export const TOO_OLD =
  /^AI Mint Executor needs Node 24 or newer, and this is Node \d+\.\d+\.\d+\. Start it with the one of its packages: npm start, or node_modules\/node\/bin\/node \S.*\n$/
