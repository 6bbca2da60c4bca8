import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { bindToChain, type ChainIdentity } from "../../src/ledger/NetworkBinding.ts"
import { CHAIN, ledger } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"

const forget = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* migrate
  yield* sql`DELETE FROM ai_agent_network`
})

const OTHER_USDC = address(`0x${"06".repeat(20)}`)
const OTHER_GENESIS = `0x${"ff".repeat(32)}` as const

const others: ReadonlyArray<readonly [string, Partial<ChainIdentity>, string]> = [
  ["another chain id", { chainId: 8453 }, "chain id 31337, now 8453"],
  ["another USDC contract", { usdc: OTHER_USDC }, `USDC ${CHAIN.usdc}, now ${OTHER_USDC}`],
  ["a sandbox chain that was reset", { genesis: OTHER_GENESIS }, `genesis block ${CHAIN.genesis}, now ${OTHER_GENESIS}`]
]

describe("a database belongs to one chain", () => {
  layer(Postgres.layer())((it) => {
    it.effect("the first use decides which, and the same chain is welcome again", () =>
      Effect.gen(function* () {
        yield* forget
        assert.isUndefined(yield* bindToChain(CHAIN))
        assert.isUndefined(yield* bindToChain(CHAIN))
      })
    )

    for (const [name, change, difference] of others) {
      it.effect(`${name} is refused, and told how to go on`, () =>
        Effect.gen(function* () {
          yield* forget
          yield* bindToChain(CHAIN)
          const refusal = yield* bindToChain({ ...CHAIN, ...change })
          assert.strictEqual(
            refusal?.message,
            `This database was first used with another chain: ${difference}. Set NETWORK and the RPC URL to that ` +
              "chain, or DATABASE_URL to the database of this one (sandbox: npm run sandbox:reset)."
          )
          assert.isUndefined(yield* bindToChain(CHAIN))
        })
      )
    }

    it.effect("the first start notes the block from which on all is this program's, and no later one changes it", () =>
      Effect.gen(function* () {
        yield* forget
        const sql = yield* SqlClient.SqlClient
        const noted = sql`SELECT first_block FROM ai_agent_network`
        yield* bindToChain(CHAIN)
        assert.deepStrictEqual(yield* noted, [{ first_block: CHAIN.confirmedBlock }])
        yield* bindToChain({ ...CHAIN, confirmedBlock: 500n })
        assert.deepStrictEqual(yield* noted, [{ first_block: CHAIN.confirmedBlock }])
        yield* sql`UPDATE ai_agent_network SET first_block = NULL`
        yield* bindToChain({ ...CHAIN, confirmedBlock: 500n })
        assert.deepStrictEqual(yield* noted, [{ first_block: 500n }], "bound before it was noted")
      })
    )

    it.effect("every difference is named at once", () =>
      Effect.gen(function* () {
        yield* forget
        yield* bindToChain(CHAIN)
        const refusal = yield* bindToChain({ ...CHAIN, chainId: 8453, usdc: OTHER_USDC, genesis: OTHER_GENESIS })
        for (const [, , difference] of others) assert.include(refusal?.message, difference)
      })
    )

    it.effect("the ledger of a database of another chain does not open", () =>
      Effect.gen(function* () {
        yield* forget
        yield* bindToChain({ ...CHAIN, chainId: 8453 })
        const failure = yield* Effect.flip(Effect.scoped(Layer.build(ledger())))
        assert.strictEqual(failure._tag, "WrongDatabase")
      })
    )
  })
})
