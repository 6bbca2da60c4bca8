import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Runtime } from "effect"
import { SqlClient } from "effect/sql"
import { checkEncryptionKey } from "../../src/checks/keys.ts"
import { inMemory, onWorld, pass, start } from "../support/executor.ts"
import { encrypt, heldReason, paidOrder, person, readTask } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"

/** As a wallet's key looks that was encrypted with another AGENT_ENCRYPTION_KEY. */
const foreign = encrypt("7".repeat(64), "f".repeat(64))

layer(Postgres.session())("AGENT_ENCRYPTION_KEY", (it) => {
  it.effect("that opens no wallet of a sample is refused at the start, with the remedy and exit code 78", () =>
    Effect.gen(function* () {
      yield* person("ann", { key: foreign })
      yield* person("ben", { key: encrypt("8".repeat(64), "f".repeat(64)) })
      const error = yield* Effect.flip(checkEncryptionKey)
      assert.deepInclude(error, { _tag: "WrongKey" })
      assert.include(error.message, "opens none of 2 agent wallets")
      assert.strictEqual(error[Runtime.errorExitCode], 78)
    }).pipe(inMemory())
  )

  it.effect("that opens one wallet is taken, as is one about which broken rows say nothing", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(checkEncryptionKey)))
      yield* person("ann", { key: "no key at all" })
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(checkEncryptionKey)))
      yield* person("ben", { key: foreign })
      yield* person("cyd")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(checkEncryptionKey)))
    }).pipe(inMemory())
  )

  it.effect("that is the right one again ends the holds that the wrong one made, and the orders go on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { who, task } = yield* paidOrder("ann", 3)
      const [row] = yield* sql<{ readonly key: string }>`SELECT encrypted_private_key AS key FROM ai_agent_wallets`
      yield* sql`UPDATE ai_agent_wallets SET encrypted_private_key = ${foreign}`
      yield* start
      yield* pass(30)
      assert.include(yield* heldReason(task), "does not decrypt with AGENT_ENCRYPTION_KEY")
      yield* sql`UPDATE ai_agent_wallets SET encrypted_private_key = ${row?.key ?? ""} WHERE id = ${who.walletId}::uuid`
      yield* pass(40)
      assert.isUndefined(yield* heldReason(task))
      assert.deepInclude(yield* readTask(task), { status: "completed", error_message: null })
    }).pipe(onWorld())
  )
})
