import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Admission } from "../../../src/api/admission.ts"
import * as NodeServer from "../../../src/api/httpServer.ts"
import * as McpRoute from "../../../src/api/mcp/route.ts"
import * as Middleware from "../../../src/api/middleware.ts"
import { usdc, zero } from "../../../src/domain/Usdc.ts"
import { KeyRepo } from "../../../src/ledger/KeyRepo.ts"
import { Operator } from "../../../src/operator/Operator.ts"
import type { TaskReport } from "../../../src/operator/reports/tasks.ts"
import { settings } from "../../support/settings.ts"
import { withToken } from "../served.ts"

/** An order of 5 mints for 5 USDC that waits for its money. */
export const unpaid: TaskReport = {
  id: "7f9c24e8-3b12-4a5d-9c0e-1f2a3b4c5d6e",
  status: "pending_payment",
  held: undefined,
  userAddress: `0x${"a1".repeat(20)}`,
  agentWalletId: "1c7a4b5e-0d7e-4d1b-8a55-0c9d5f6a7b8c",
  agentAddress: `0x${"b2".repeat(20)}`,
  tokenAddress: `0x${"c3".repeat(20)}`,
  quantity: 5,
  pricePerMint: 1_000_000n,
  totalCost: 5_000_000n,
  received: 0n,
  mintsCompleted: 0,
  mintsFailed: 0,
  retryCount: 0,
  errorMessage: undefined,
  fundingTx: undefined,
  createdAt: 0,
  deadline: 600_000,
  fundedAt: undefined,
  startedAt: undefined,
  completedAt: undefined,
  nextActionAt: undefined,
  paymentState: "unpaid",
  nextAction: "pay",
  amountDue: usdc(5_000_000n),
  payTo: `0x${"b2".repeat(20)}`,
  payBy: 600_000,
  checkAgainAfterSeconds: 6
}

export const completed: TaskReport = {
  ...unpaid,
  status: "completed",
  received: undefined,
  mintsCompleted: 5,
  paymentState: "settled",
  nextAction: "none",
  amountDue: zero,
  payTo: undefined,
  payBy: undefined,
  checkAgainAfterSeconds: undefined
}

/** `/mcp` over a real socket, with an operator that answers only what is given. Gives its URL. */
export const servingMcp = Effect.fnUntraced(function* (operator: Partial<Operator["Service"]>) {
  const layer = HttpRouter.serve(Layer.mergeAll(McpRoute.layer, Middleware.layer), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(NodeServer.layer),
    Layer.provide([
      Layer.mock(Operator, operator),
      Admission.layer.pipe(Layer.provide(Layer.mock(KeyRepo, {}))),
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
    ]),
    Layer.provide([settings({ opsPort: 0, ...withToken }), NodeServices.layer])
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  const { address } = yield* HttpServer.HttpServer.pipe(Effect.provideContext(context))
  return HttpServer.formatAddress(address)
})
