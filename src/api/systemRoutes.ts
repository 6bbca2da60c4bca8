import { Clock, Duration, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Settings } from "../config/Settings.ts"
import * as Progress from "../ops/Progress.ts"
import { Readiness } from "../checks/Readiness.ts"
import { Status } from "../operator/Status.ts"
import { Api } from "./contract/Api.ts"
import type { Readiness as Answer } from "../operator/reports/status.ts"

/** Open to all: nothing here names an order or a person. */
export const layer = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const readiness = yield* Readiness
    const status = yield* Status
    const health = yield* makeHealth
    return handlers.handleAll({
      healthz: () => health,
      readyz: () =>
        Effect.map(readiness.now, (answer) => {
          const { ready, ...rest } = withoutDetails(answer)
          return ready ? { ready, ...rest } : { ready, ...rest }
        }),
      version: () => status.version
    })
  })
)

/** What went wrong, without what drivers and servers said to it: that may name roles, hosts or rows. */
const inPublic = (problem: string | undefined): string | undefined => problem?.split(" (", 1)[0]

/** A condition of the environment in words, without the wallets and transactions that it was noticed by. */
const unnamed = (words: string): string => words.replaceAll(/0x[0-9a-f]{8,}/gi, "0x…")

const withoutDetails = (answer: Answer): Answer => ({
  ...answer,
  database: { ...answer.database, problem: inPublic(answer.database.problem) },
  rpc: answer.rpc.map((node) => ({ ...node, problem: inPublic(node.problem) })),
  ...(answer.announcements && {
    announcements: answer.announcements.map((one) => ({ ...one, problem: inPublic(one.problem) }))
  }),
  mintServer: { ...answer.mintServer, problem: inPublic(answer.mintServer.problem) },
  incidents: answer.incidents.map((incident) => ({ ...incident, problem: unnamed(incident.problem) }))
})

/** Alive is who makes progress. A process that has not begun its loops yet is starting, and so alive. */
const makeHealth = Effect.map(Settings, (settings) => {
  const questionMs = Math.max(Duration.toMillis(settings.rpcTimeout), Duration.toMillis(settings.databaseTimeout))
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const { loops } = yield* Progress.state
    const states = loops.map((loop) => ({
      name: loop.name,
      alive: Progress.isAlive(loop, nowMs, questionMs),
      intervalMs: loop.intervalMs,
      lastProgress: loop.movedAtMs,
      outcome: loop.outcome,
      problem: loop.outcome === "defect" ? "a defect: the log has it" : inPublic(loop.problem)
    }))
    const alive = states.every((state) => state.alive)
    return alive ? { alive, loops: states } : { alive, loops: states }
  })
})
