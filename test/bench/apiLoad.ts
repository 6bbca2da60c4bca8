import { Agent, request } from "node:http"

/** What the second process has to do: to ask one path for a while, or to listen until it is ended. */
export interface Load {
  readonly url: string
  readonly path: string
  readonly token: string
  readonly seconds: number
  readonly concurrency: number
  readonly listeners: number
}

export interface Measured {
  readonly latenciesMs: ReadonlyArray<number>
  /** Answers other than 200. */
  readonly failed: number
}

/** Before anything is measured: connections are opened and code is compiled. */
const WARM_MS = 1_000

/** One address may read 300 times a second. All of 127.0.0.0/8 is this machine's (Linux). */
const ADDRESSES = 64

const agents = Array.from({ length: ADDRESSES }, (_, n) => {
  return new Agent({ keepAlive: true, localAddress: `127.0.1.${n + 1}` })
})

const ask = ({ url, path, token }: Load, agent: Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` }
    request(`${url}${path}`, { agent, headers }, (response) => {
      response.resume()
      response.on("end", () => resolve(response.statusCode ?? 0))
    })
      .on("error", reject)
      .end()
  })

const worker = async (load: Load, first: number): Promise<Measured> => {
  const latenciesMs: Array<number> = []
  let failed = 0
  const beganMs = performance.now()
  const endMs = beganMs + WARM_MS + load.seconds * 1_000
  for (let n = first; performance.now() < endMs; n += load.concurrency) {
    const startMs = performance.now()
    const status = await ask(load, agents[n % ADDRESSES]!)
    if (startMs - beganMs < WARM_MS) continue
    latenciesMs.push(performance.now() - startMs)
    if (status !== 200) failed++
  }
  return { latenciesMs, failed }
}

const askAll = async (load: Load): Promise<Measured> => {
  const workers = await Promise.all(Array.from({ length: load.concurrency }, (_, n) => worker(load, n)))
  return {
    latenciesMs: workers.flatMap(({ latenciesMs }) => latenciesMs),
    failed: workers.reduce((sum, { failed }) => sum + failed, 0)
  }
}

const listen = ({ url, path, token }: Load, n: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = { agent: false, localAddress: `127.0.1.${(n % ADDRESSES) + 1}` }
    request(`${url}${path}`, { ...options, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume()
      if (response.statusCode === 200) resolve()
      else reject(new Error(`refused: ${response.statusCode}`))
    })
      .on("error", reject)
      .end()
  })

const load = JSON.parse(process.argv[2] ?? "{}") as Load
if (load.listeners > 0) {
  await Promise.all(Array.from({ length: load.listeners }, (_, n) => listen(load, n)))
  process.send?.("listening")
} else {
  process.send?.(await askAll(load))
}
