import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Admission } from "./admission.ts"
import * as Authorization from "./authorization.ts"
import { Api } from "./contract/Api.ts"
import { EventFeed } from "./feed.ts"
import * as NodeServer from "./httpServer.ts"
import * as McpRoute from "./mcp/route.ts"
import * as Middleware from "./middleware.ts"
import * as PlainRoutes from "./plainRoutes.ts"
import * as ExchangeRoutes from "./exchangeRoutes.ts"
import { Readiness } from "../checks/Readiness.ts"
import * as SystemRoutes from "./systemRoutes.ts"
import * as OperatorRoutes from "./operatorRoutes.ts"
import { Status } from "../operator/Status.ts"
import * as ExchangeDirect from "../operator/exchange/ExchangeDirect.ts"
import * as OperatorDirect from "../operator/OperatorDirect.ts"
import * as V1Routes from "./v1Routes.ts"

const groups = Layer.mergeAll(
  SystemRoutes.layer,
  OperatorRoutes.tasks,
  ExchangeRoutes.layer,
  OperatorRoutes.quotes,
  OperatorRoutes.wallets,
  OperatorRoutes.control,
  OperatorRoutes.keys,
  OperatorRoutes.webhooks,
  V1Routes.layer
)

const api = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide(groups),
  Layer.provide([Authorization.layer, HttpApiMiddleware.layerProblemDetails({ includeDetails: true })])
)

const routes = Layer.mergeAll(api, McpRoute.layer, PlainRoutes.layer, Middleware.layer).pipe(
  Layer.provide(Admission.layer)
)

/** Built last, and so the first to go at a stop: the server waits for answers that are under way, and an event stream has no end. */
const closeStreams = Layer.effectDiscard(Effect.flatMap(EventFeed, ({ close }) => Effect.addFinalizer(() => close)))

const behind = EventFeed.layer.pipe(
  Layer.provideMerge(ExchangeDirect.layer),
  Layer.provideMerge(OperatorDirect.layer),
  Layer.provideMerge(Status.layer),
  Layer.provideMerge(Readiness.layer),
  Layer.provide([NodeCrypto.layerSecureRandom])
)

/** Paths mean what they say: a proxy that lets `/api/ai-agent/` pass and nothing else compares them so too. */
const EXACT = { caseSensitive: true, ignoreDuplicateSlashes: false }

/** The API, the page, the metrics and the documents, at `OPS_HOST` and `OPS_PORT`, until the scope closes. */
export const layer = closeStreams.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { routerConfig: EXACT, disableLogger: true, disableListenLog: true })),
  Layer.provideMerge(NodeServer.layer),
  Layer.provide(behind),
  Layer.provide(NodeCrypto.layerSecureRandom),
  Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
)
