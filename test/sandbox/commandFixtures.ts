import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { local } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { publish, type SandboxInfo } from "../../src/sandbox/sandboxFile.ts"

export const TOKEN = address(`0x${"70".repeat(20)}`)

export const emptyDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sandbox-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

/** Linux and macOS give no process a number as high as this. */
export const UNUSED_PID = 99_999_999

export const info: SandboxInfo = {
  pid: process.pid,
  rpcUrl: "http://127.0.0.1:8545",
  serverUrl: "http://127.0.0.1:4021",
  usdc: local.usdc.address,
  token: TOKEN,
  databaseUrl: "embedded"
}

/** Has a command run in the directory find a sandbox at the URL. */
export const announce = Effect.fnUntraced(function* (directory: string, serverUrl: string, pid = process.pid) {
  mkdirSync(join(directory, ".data"), { recursive: true })
  yield* publish(join(directory, ".data"), { ...info, pid, serverUrl })
})

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of the sandbox in a directory, as npm does. */
export const scriptOf =
  (name: "order" | "fault" | "reset") =>
  (directory: string, ...args: ReadonlyArray<string>) =>
    Effect.promise(
      () =>
        new Promise<Ended>((resolve) => {
          const script = fileURLToPath(new URL(`../../src/sandbox/${name}.ts`, import.meta.url))
          const child = spawn(process.execPath, [script, ...args], { cwd: directory, env: {} })
          const said = { stdout: "", stderr: "" }
          for (const stream of ["stdout", "stderr"] as const) {
            child[stream].setEncoding("utf8").on("data", (text: string) => (said[stream] += text))
          }
          child.once("close", (status) => resolve({ status, ...said }))
        })
    )
