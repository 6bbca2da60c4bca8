import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { create, pause, refund } from "../support/operator.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { anyId } from "../support/anyId.ts"
import { LogLines, pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, type Person, person, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { assertDecided, assertUndecided, interrupted, refusal, stories, STRANGER, units, WHY } from "./given.ts"

const asked = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ readonly id: string; readonly status: string; readonly amount: bigint }>`
      SELECT id, status, amount FROM ai_agent_refunds`
)

const DRY = { confirm: false }

/** The confirmation of a refund of so much to this person. */
const confirmed = ({ userAddress }: Person, amount: number) => ({
  confirm: true,
  to: userAddress,
  amount: units(amount)
})

/** A person with so much credit, which the ledger knows. */
const givenCredit = Effect.fnUntraced(function* (amount: number) {
  const world = yield* World
  const who = yield* person("ann")
  const task = yield* order(who, 1)
  yield* start
  yield* pass(5)
  world.deposit(who.agentAddress, units(amount + 1))
  yield* pass(60)
  assert.strictEqual((yield* readTask(task)).status, "completed")
  return { world, who }
})

layer(Postgres.session())("a refund that an operator asks for", (it) => {
  const { inMemory, onSql } = stories(it)
  onSql("is told first, and done only when it is confirmed: the wallet's user gets what is free", function* () {
    const { world, who } = yield* givenCredit(4)
    const report = yield* refund(who.userAddress, DRY, WHY)
    assert.deepInclude(report, {
      wallet: who.agentAddress,
      to: who.userAddress,
      balance: units(4),
      reserved: units(0),
      free: units(4),
      unspentDeposits: units(4),
      amount: units(4),
      gasAccount: world.gasAccount,
      gasBalance: world.gas,
      against: [],
      warnings: [],
      refundId: undefined
    })
    assert.deepStrictEqual(yield* asked, [])
    yield* assertUndecided
    const done = yield* refund(who.userAddress, confirmed(who, 4), WHY)
    assert.deepStrictEqual(yield* asked, [{ id: done.refundId ?? "", status: "planned", amount: 4_000_000n }])
    yield* assertDecided("refund", null)
    yield* pass(60)
    assert.strictEqual((yield* asked)[0]?.status, "paid")
    assert.strictEqual(world.balance(who.userAddress), 4_000_000n)
    assert.deepInclude(yield* refund(who.userAddress, DRY, WHY), {
      unspentDeposits: units(0),
      against: ["Nothing is free to be refunded."]
    })
  })

  inMemory("of a part leaves the rest, and of more than is free is refused", function* () {
    const { world, who } = yield* givenCredit(4)
    const said = yield* refusal(refund(who.agentAddress, confirmed(who, 4.5), WHY))
    assert.strictEqual(said, "4.00 USDC are free, and 4.50 are more than that.")
    yield* refund(who.agentAddress, confirmed(who, 1.5), WHY)
    yield* pass(60)
    assert.strictEqual(world.balance(who.agentAddress), 2_500_000n)
    assert.deepInclude(yield* refund(who.agentAddress, DRY, WHY), { free: units(2.5), unspentDeposits: units(2.5) })
  })

  inMemory("while an order waits for money is refused", function* () {
    const { who } = yield* givenCredit(4)
    yield* order(who, 9)
    assert.match(
      yield* refusal(refund(who.agentAddress, confirmed(who, 4), WHY)),
      /has an order that waits for its money: /
    )
    yield* assertUndecided
  })

  inMemory("of money that may be spent already is refused until that is proven", function* () {
    const { world, who } = yield* givenCredit(4)
    yield* order(who, 3)
    world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
    yield* pass(20)
    const said = yield* refusal(refund(who.agentAddress, confirmed(who, 3), WHY))
    assert.include(said, "A payment of the wallet is not proven yet: 1.00 USDC are free for sure")
    assert.deepInclude(yield* refund(who.agentAddress, DRY, WHY), {
      reserved: units(3),
      amount: units(1),
      against: []
    })
  })

  onSql("is confirmed with the recipient and the amount that were shown, or not at all", function* () {
    const { who } = yield* givenCredit(4)
    const repeat = "A confirmation repeats the recipient and the amount"
    for (const [options, words] of [
      [{ confirm: true }, repeat],
      [{ confirm: true, amount: units(4) }, repeat],
      [{ confirm: true, to: who.userAddress }, repeat],
      [
        { ...confirmed(who, 4), to: STRANGER },
        `It would go to ${who.userAddress}, and the recipient that was confirmed`
      ],
      [{ ...confirmed(who, 4), to: "nobody" }, `It would go to ${who.userAddress}`],
      [confirmed(who, 5), "4.00 USDC are free, and 5.00 are more than that."]
    ] as const) {
      assert.include(yield* refusal(refund(who.agentAddress, options, WHY)), words)
    }
    assert.deepStrictEqual(yield* asked, [])
    yield* refund(who.agentAddress, { ...confirmed(who, 4), to: who.userAddress.toUpperCase().replace("X", "x") }, WHY)
    assert.lengthOf(yield* asked, 1)
  })

  onSql(
    "goes to nobody when the row of its wallet names another user than it did, whoever confirms that",
    function* () {
      const sql = yield* SqlClient.SqlClient
      const { world, who } = yield* givenCredit(4)
      assert.deepStrictEqual((yield* refund(who.walletId, DRY, WHY)).against, [])
      yield* sql`UPDATE ai_agent_wallets SET user_address = ${STRANGER}`
      const stopped = `The wallet is stopped: its user_address was ${who.userAddress} and is ${STRANGER}.`
      for (const to of [who.userAddress, STRANGER]) {
        assert.include(yield* refusal(refund(who.walletId, { ...confirmed(who, 4), to }, WHY)), stopped)
      }
      yield* pass(30)
      assert.include(yield* refusal(refund(who.walletId, { ...confirmed(who, 4), to: STRANGER }, WHY)), stopped)
      assert.deepStrictEqual(yield* asked, [])
      assert.strictEqual(world.balance(who.agentAddress), units(4))
      const { all } = yield* LogLines
      assert.lengthOf(
        all.filter((line) => line.includes(`🚨 Wallet ${who.agentAddress} is stopped`)),
        1
      )
    }
  )

  onSql("of a person that two wallets name is refused, and so is every other command about that person", function* () {
    const sql = yield* SqlClient.SqlClient
    const { who } = yield* givenCredit(4)
    const bob = yield* person("bob")
    const again = `0x${who.userAddress.slice(2).toUpperCase()}`
    yield* sql`UPDATE ai_agent_wallets SET user_address = ${again} WHERE id = ${bob.walletId}::uuid`
    const words = `Several rows of ai_agent_wallets are named by ${who.userAddress}`
    const wish = {
      id: anyId("00000000-0000-4000-8000-00000000abcd"),
      userAddress: who.userAddress,
      tokenAddress: TOKEN,
      quantity: 1,
      pricePerMint: units(1)
    }
    assert.include(yield* refusal(refund(who.userAddress, DRY, WHY)), words)
    assert.include(yield* refusal(pause({ wallet: who.userAddress }, WHY)), words)
    assert.include(yield* refusal(create(wish)), words)
  })

  inMemory("of a stopped wallet is refused", function* () {
    const { world, who } = yield* givenCredit(4)
    world.spend(who.agentAddress, STRANGER, units(1))
    yield* pass(5)
    assert.include(
      yield* refusal(refund(who.agentAddress, confirmed(who, 4), WHY)),
      "Money left the wallet that no order explains"
    )
    yield* pass(90)
    assert.include(
      yield* refusal(refund(who.agentAddress, confirmed(who, 4), WHY)),
      "The wallet is stopped: 1.00 USDC went to"
    )
  })

  inMemory("without an account that pays the gas is only warned of, until it is confirmed", function* () {
    const { world, who } = yield* givenCredit(4)
    world.gas = 0n
    assert.match((yield* refund(who.agentAddress, DRY, WHY)).warnings[0] ?? "", /has no gas money/)
    world.gasAccount = undefined
    const { against, warnings } = yield* refund(who.agentAddress, DRY, WHY)
    assert.deepStrictEqual(against, [])
    assert.match(warnings[0] ?? "", /AI_AGENT_PRIVATE_KEY is not set/)
    assert.include(yield* refusal(refund(who.agentAddress, confirmed(who, 4), WHY)), "AI_AGENT_PRIVATE_KEY is not set")
  })

  onSql("to nobody, or to the wallet itself, is refused", function* () {
    const sql = yield* SqlClient.SqlClient
    const { who } = yield* givenCredit(4)
    for (const [user, words] of [
      [who.agentAddress, "The wallet's user is the wallet itself."],
      [`0x${"0".repeat(40)}`, "The wallet's user is the zero address"]
    ] as const) {
      yield* sql`UPDATE ai_agent_wallets SET user_address = ${user}`
      assert.include(yield* refusal(refund(who.agentAddress, confirmed(who, 4), WHY)), words)
    }
  })

  inMemory("of a wallet whose key does not open is refused: nobody could sign it", function* () {
    const world = yield* World
    const who = yield* person("ann", { key: "no key at all" })
    world.deposit(who.agentAddress, units(4))
    yield* pass(10)
    assert.include((yield* refund(who.agentAddress, DRY, WHY)).against[0], "the key of agent wallet")
  })

  onSql("of money that an order takes between the look and the decision is refused", function* () {
    const { who } = yield* givenCredit(4)
    const repo = yield* DecisionRepo
    const ordered = Effect.andThen(order(who, 3), pass(30))
    const late = { ...repo, askRefund: yield* interrupted(repo.askRefund, ordered) }
    const asking = refund(who.agentAddress, confirmed(who, 4), WHY).pipe(Effect.provideService(DecisionRepo, late))
    assert.include(yield* refusal(asking), "The wallet's money changed meanwhile")
    assert.deepStrictEqual(yield* asked, [])
  })
})
