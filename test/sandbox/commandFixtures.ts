import { serve } from "@hono/node-server"
import { Effect, Redacted } from "effect"
import { Hono } from "hono"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { local } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { publish } from "../../src/sandbox/sandboxFile.ts"

export const TOKEN = address(`0x${"70".repeat(20)}`)

export const emptyDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sandbox-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

/** Answers at a port of its own. */
export const listening = (answer: (request: Request) => Promise<Response>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: ReturnType<typeof serve>; readonly url: string }>((resume) => {
      const { fetch } = new Hono().all("*", ({ req }) => answer(req.raw))
      const server = serve({ fetch, port: 0, hostname: "127.0.0.1" }, ({ port }: AddressInfo) =>
        resume(Effect.succeed({ server, url: `http://127.0.0.1:${port}` }))
      )
    }),
    ({ server }) => Effect.sync(() => void server.close())
  )

/** Has a command run in the directory find a sandbox at the URL. */
export const announce = Effect.fnUntraced(function* (directory: string, serverUrl: string, pid = process.pid) {
  mkdirSync(join(directory, ".data"), { recursive: true })
  yield* publish(join(directory, ".data"), {
    pid,
    startedAt: new Date(0),
    rpcUrl: "http://127.0.0.1:8545",
    serverUrl,
    usdc: local.usdc.address,
    token: TOKEN,
    databaseUrl: Redacted.make("postgres://sandbox:secret@localhost/sandbox"),
    paymentTimeoutMs: 600_000
  })
})

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script of the sandbox in a directory, as npm does. */
export const scriptOf =
  (name: "order" | "fault") =>
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
