import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type PageFiles, pageHeaders, readPageFiles } from "../../src/api/pageFiles.ts"
import type { DeliveryJson, KeyJson, WebhookJson } from "../../src/page/cards.ts"
import type { EventJson, StatusJson } from "../../src/operator/reports/status.ts"
import type { ExplanationJson, TaskJson } from "../../src/operator/reports/tasks.ts"
import { at } from "./sample.ts"

/** What the fake answers from now on. A test changes it while the page looks. */
export interface Script {
  overview: StatusJson
  explanations: ReadonlyArray<ExplanationJson>
  /** What `GET /api/tasks` lists, newest first. */
  tasks: ReadonlyArray<TaskJson>
  keys: ReadonlyArray<KeyJson>
  webhooks: ReadonlyArray<WebhookJson>
  deliveries: ReadonlyArray<DeliveryJson>
  /** What lacks a scope: answered to keys and webhooks. */
  lacks?: string
  /** Who may ask; undefined: everybody. */
  token?: string
  /** Answered to everything that is asked of the API. */
  problem?: { readonly status: number; readonly title: string; readonly detail: string }
  beatMs: number
}

/** An executor that has nothing but its HTTP server, and says what a test has it say. */
export interface FakeExecutor {
  readonly url: string
  readonly port: number
  readonly script: Script
  /** Every request, as `GET /path`, oldest first. */
  readonly asked: ReadonlyArray<string>
  /** The `Last-Event-ID` of every listener, oldest first. */
  readonly listenedFrom: ReadonlyArray<string | undefined>
  /** Tells all listeners. */
  readonly emit: (kind: string, change?: Partial<EventJson>) => void
  /** As when the process ends: every connection breaks. */
  readonly stop: () => Promise<void>
}

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  const type = status < 400 ? "application/json" : "application/problem+json"
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(JSON.stringify(body))
}

const sendProblem = (response: ServerResponse, status: number, title: string, detail: string): void =>
  sendJson(response, status, { type: "about:blank", status, title, detail })

const sendFile = (files: PageFiles, path: string, response: ServerResponse): void => {
  const file = files.get(path)
  if (file === undefined) return sendProblem(response, 404, "Not Found", `no ${path}`)
  response
    .writeHead(200, { ...pageHeaders, "content-type": file.type, etag: file.etag, "content-encoding": "gzip" })
    .end(file.gzip)
}

const sendExplanation = ({ explanations }: Script, path: string, response: ServerResponse): void => {
  const named = decodeURIComponent(/^\/api\/tasks\/([^/]+)\/explain$/.exec(path)?.[1] ?? "")
  const found = explanations.find(({ task }) => named !== "" && task.id.startsWith(named))
  if (found === undefined) return sendProblem(response, 404, "Not Found", `There is no order ${named}.`)
  sendJson(response, 200, found)
}

/** As the executor lists them. Of transactions, the one that funded an order is known. */
const sendList = ({ tasks }: Script, query: URLSearchParams, response: ServerResponse): void => {
  const [limit, from, statuses] = [Number(query.get("limit")), Number(query.get("cursor") ?? 0), query.get("status")]
  const is = (name: string, ...values: ReadonlyArray<string | null>): boolean =>
    !query.has(name) || values.includes(query.get(name))
  const found = tasks.filter(
    (task) =>
      (statuses === null || statuses.split(",").includes(task.status)) &&
      is("user", task.userAddress) &&
      is("token", task.tokenAddress) &&
      is("wallet", task.userAddress, task.agentAddress) &&
      is("tx", task.fundingTx) &&
      (task.createdAt ?? "") >= (query.get("from") ?? "") &&
      (task.createdAt ?? "") < (query.get("to") ?? "9")
  )
  if (query.has("wallet") && found.length === 0 && statuses === null) {
    return sendProblem(response, 404, "Not Found", `There is no agent wallet "${query.get("wallet")}".`)
  }
  const next = from + limit < found.length ? String(from + limit) : null
  sendJson(response, 200, { tasks: found.slice(from, from + limit), next })
}

const isCard = (path: string): boolean => path === "/api/keys" || path.startsWith("/api/webhooks")

/** What keys may lack a scope for. */
const sendCard = (script: Script, path: string, query: URLSearchParams, response: ServerResponse): void => {
  const { keys, webhooks, deliveries, lacks } = script
  if (lacks !== undefined) return sendProblem(response, 403, "Forbidden", lacks)
  if (path === "/api/keys") return sendJson(response, 200, { keys })
  if (path === "/api/webhooks") return sendJson(response, 200, { command: "webhooks", webhooks })
  const found = deliveries.filter(({ state }) => state === query.get("state"))
  sendJson(response, 200, { command: "deliveries", deliveries: found })
}

/** Why this request is not let in. */
const refusal = ({ token, problem }: Script, request: IncomingMessage): Script["problem"] => {
  if (problem !== undefined) return problem
  if (token === undefined || request.headers.authorization === `Bearer ${token}`) return undefined
  return { status: 401, title: "Unauthorized", detail: "The token is missing or wrong." }
}

const close = (server: Server): Promise<void> =>
  new Promise((done) => {
    server.close(() => done())
    server.closeAllConnections()
  })

/** Those who listen for events. */
const makeListeners = (script: Script) => {
  const open = new Set<ServerResponse>()
  const send = (text: string): void => open.forEach((one) => void one.write(text))
  const beat = setInterval(() => send("event: beat\ndata: \n\n"), script.beatMs)
  let lastId = 100
  return {
    add: (response: ServerResponse): void => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
      response.write("event: beat\ndata: \n\n")
      open.add(response.on("close", () => open.delete(response)))
    },
    emit: (kind: string, change: Partial<EventJson> = {}): void => {
      lastId += 1
      const event: EventJson = {
        id: lastId,
        at: at(0),
        kind,
        text: kind,
        taskId: null,
        walletId: null,
        batch: null,
        detail: {},
        ...change
      }
      send(`id: ${lastId}\nevent: ledger\ndata: ${JSON.stringify(event)}\n\n`)
    },
    end: () => clearInterval(beat)
  }
}

export const startFake = async (given: Partial<Script> & Pick<Script, "overview">, port = 0): Promise<FakeExecutor> => {
  const files = await Effect.runPromise(readPageFiles.pipe(Effect.provide(NodeServices.layer)))
  const script: Script = { explanations: [], tasks: [], keys: [], webhooks: [], deliveries: [], beatMs: 500, ...given }
  const asked: Array<string> = []
  const listenedFrom: Array<string | undefined> = []
  const listeners = makeListeners(script)
  const server = createServer((request, response) => {
    const { pathname: path, searchParams } = new URL(request.url ?? "/", "http://fake")
    asked.push(`${request.method} ${path}`)
    if (!path.startsWith("/api/")) return sendFile(files, path, response)
    const refused = refusal(script, request)
    if (refused !== undefined) return sendProblem(response, refused.status, refused.title, refused.detail)
    if (path === "/api/overview") return sendJson(response, 200, { ...script.overview, now: at(0) })
    if (isCard(path)) return sendCard(script, path, searchParams, response)
    if (path === "/api/tasks") return sendList(script, searchParams, response)
    if (path !== "/api/events") return sendExplanation(script, path, response)
    listenedFrom.push(request.headers["last-event-id"]?.toString())
    return listeners.add(response)
  })
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done))
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    script,
    asked,
    listenedFrom,
    emit: listeners.emit,
    stop: () => {
      listeners.end()
      return close(server)
    }
  }
}
