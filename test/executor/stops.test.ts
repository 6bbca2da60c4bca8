import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { TaskId } from "../../src/domain/Task.ts"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { onWorld, startFor } from "../support/executor.ts"
import { paidOrder, readBatches } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { stories } from "../support/stories.ts"

const stop = (walletId: WalletId) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{ readonly version: bigint }>`
      SELECT version FROM ai_agent_wallet_state WHERE wallet_id = ${walletId}::uuid`
    const reason = "money is missing"
    assert.isTrue(
      yield* wasFirst((yield* TaskRepo).stopWallet({ walletId, version: rows[0]?.version ?? 0n, reason }, 1))
    )
  })

const hold = (taskId: TaskId) =>
  Effect.flatMap(TaskRepo, (repo) => repo.hold([{ taskId, reason: "a person looks" }], 1))

layer(Postgres.session())("while the price of a payment is asked", (it) => {
  const test = stories(it, onWorld())

  for (const [what, bar] of [
    ["a wallet that is stopped", ({ walletId }: { walletId: WalletId }) => stop(walletId)],
    ["an order that is held", ({ task }: { task: TaskId }) => hold(task)]
  ] as const) {
    test(`${what} pays nothing`, function* (world) {
      const { who, task } = yield* paidOrder("ann", 5)
      const services = yield* Effect.context<TaskRepo | SqlClient.SqlClient>()
      let barred = false
      world.manners.delay = (request) => {
        if (request !== "quote" || barred) return Effect.void
        barred = true
        return bar({ walletId: who.walletId, task }).pipe(Effect.provideContext(services), Effect.orDie)
      }
      yield* startFor(60)
      assert.isTrue(barred)
      assert.deepStrictEqual(world.payments, [])
      assert.deepInclude((yield* readBatches(task))[0], { status: "planned", sends: 0 })
    })
  }
})
