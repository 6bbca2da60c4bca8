import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { messages } from "../../../src/domain/Task.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import type { Wallet } from "../../../src/domain/Wallet.ts"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo, wasFirst } from "../../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../../support/LedgerFixture.ts"
import {
  firstPage,
  givenFunded,
  givenOrder,
  givenWallet,
  inCapitals,
  NOW_MS,
  ordersOf,
  type Promises,
  TIP,
  workOf
} from "./given.ts"

const OTHER = `0x${"d".repeat(40)}`

const editWallet = (wallet: Wallet, edit: { readonly userAddress?: string; readonly agentAddress?: string }) =>
  Effect.flatMap(LedgerFixture, (fixture) => fixture.editWallet(wallet.id, edit))

const check = Effect.flatMap(TaskRepo, (repo) => repo.checkWallets(NOW_MS))

/** An order as a row of another program names it, which the page says is none. */
const badOf = Effect.fnUntraced(function* (taskId: string) {
  return (yield* firstPage).bad.find((bad) => bad.taskId === taskId)?.reason
})

const resolution = (wallet: Wallet, version: bigint) => ({
  walletId: wallet.id,
  balance: usdc(0n),
  version,
  seen: { userAddress: wallet.userAddress, agentAddress: wallet.agentAddress }
})

export const pinPromises = (promises: Promises): void => {
  promises(
    "an order of one person on the wallet of another is none, in whatever case they are written, and keeps no money",
    function* () {
      const [victim, attacker] = [yield* givenWallet(1), yield* givenWallet(2)]
      const own = yield* givenOrder(victim, { userAddress: inCapitals(victim.userAddress) })
      const foreign = yield* givenOrder(victim, { userAddress: attacker.userAddress })
      const reason =
        "Held, this order cannot be carried out: " +
        `user_address is ${attacker.userAddress}, and agent wallet ${victim.id} is that of ${victim.userAddress}`
      assert.strictEqual(yield* badOf(foreign), reason)
      yield* (yield* TaskRepo).hold([{ taskId: foreign, reason }], NOW_MS)
      const orders = yield* ordersOf(victim)
      assert.deepStrictEqual([orders.pending.map(({ id }) => id), orders.held], [[own], []])
      const funded = yield* givenOrder(victim, { userAddress: attacker.userAddress })
      yield* (yield* LedgerFixture).editTask(funded, { status: "funded" })
      const work = yield* workOf(victim)
      assert.deepStrictEqual([work.tasks, work.bad], [[], [{ taskId: funded, reason }]])
    }
  )

  for (const [column, edit] of [
    ["user_address", { userAddress: OTHER }],
    ["agent_address", { agentAddress: OTHER }]
  ] as const) {
    promises(
      `a wallet whose ${column} changes after it was seen does nothing from then on, until a person has looked`,
      function* () {
        const wallet = yield* givenWallet()
        const { id } = yield* givenFunded(wallet)
        const pending = yield* givenOrder(wallet)
        assert.isUndefined((yield* ordersOf(wallet)).stopped)
        yield* editWallet(wallet, edit)
        if ("userAddress" in edit) yield* (yield* LedgerFixture).editTask(pending, { userAddress: OTHER })
        const before = column === "user_address" ? wallet.userAddress : wallet.agentAddress
        const reason = `its ${column} was ${before} and is ${OTHER}`
        assert.strictEqual((yield* ordersOf(wallet)).stopped, reason)
        assert.strictEqual((yield* workOf(wallet)).stopped, reason)
        assert.deepStrictEqual(yield* check, [{ walletId: wallet.id, agentAddress: wallet.agentAddress, reason }])
        assert.deepStrictEqual(yield* check, [])
        const fixture = yield* LedgerFixture
        assert.strictEqual((yield* fixture.readTask(id)).errorMessage, messages.stopped(reason))
        yield* editWallet(wallet, { userAddress: wallet.userAddress, agentAddress: wallet.agentAddress })
        yield* fixture.editTask(pending, { userAddress: wallet.userAddress })
        const { stopped, version } = yield* ordersOf(wallet)
        assert.strictEqual(stopped, reason, "what was stopped stays so")
        const decision = { command: "resolve", said: "looked at", why: "the row is repaired", by: "me" }
        assert.isTrue(
          yield* wasFirst((yield* DecisionRepo).reopenBooks(resolution(wallet, version), TIP, decision, NOW_MS))
        )
        assert.isUndefined((yield* ordersOf(wallet)).stopped)
        assert.deepStrictEqual(yield* check, [])
      }
    )
  }

  promises(
    "a change that a person has seen is what the wallet is from then on, and the next one stops it again",
    function* () {
      const wallet = yield* givenWallet()
      const moved = { ...wallet, userAddress: OTHER as Wallet["userAddress"] }
      yield* check
      yield* editWallet(wallet, { userAddress: OTHER })
      yield* check
      yield* givenOrder(moved)
      const { version } = yield* ordersOf(wallet)
      const decision = { command: "resolve", said: "looked at", why: "the person has another account", by: "me" }
      assert.isTrue(
        yield* wasFirst((yield* DecisionRepo).reopenBooks(resolution(moved, version), TIP, decision, NOW_MS))
      )
      assert.isUndefined((yield* ordersOf(wallet)).stopped)
      yield* editWallet(wallet, { userAddress: wallet.userAddress })
      assert.lengthOf(yield* check, 1)
    }
  )

  promises("an address that is only written in another case is the same", function* () {
    const wallet = yield* givenWallet()
    yield* givenOrder(wallet)
    yield* firstPage
    yield* editWallet(wallet, {
      userAddress: inCapitals(wallet.userAddress),
      agentAddress: inCapitals(wallet.agentAddress)
    })
    assert.isUndefined((yield* ordersOf(wallet)).stopped)
    assert.deepStrictEqual(yield* check, [])
  })

  promises("two wallets with one account both do nothing, and no others", function* () {
    const [victim, bystander] = [yield* givenWallet(1), yield* givenWallet(3)]
    const twin = { ...(yield* givenWallet(2)), agentAddress: victim.agentAddress }
    const fixture = yield* LedgerFixture
    const id = yield* fixture.insertWallet({
      userAddress: `0x${"e".repeat(40)}`,
      agentAddress: inCapitals(victim.agentAddress)
    })
    for (const wallet of [victim, bystander]) yield* givenOrder(wallet)
    yield* givenOrder({ ...twin, id, userAddress: `0x${"e".repeat(40)}` as Wallet["userAddress"] })
    const stopped = yield* check
    assert.deepStrictEqual(stopped.map(({ walletId }) => walletId).toSorted(), [victim.id, id].toSorted())
    const { wallets } = yield* firstPage
    for (const orders of wallets) {
      const isTwin = orders.wallet.id !== bystander.id
      assert.strictEqual(orders.stopped !== undefined, isTwin)
      assert.strictEqual(orders.twin, isTwin ? (orders.wallet.id === id ? victim.id : id) : undefined)
    }
    const reason = `agent wallet ${id} has the same agent_address`
    assert.strictEqual((yield* ordersOf(victim)).stopped, reason)
  })

  promises("a twin does nothing from the first look at it on", function* () {
    const victim = yield* givenWallet()
    yield* givenOrder(victim)
    yield* firstPage
    const userAddress = `0x${"e".repeat(40)}` as Wallet["userAddress"]
    const id = yield* (yield* LedgerFixture).insertWallet({
      userAddress,
      agentAddress: inCapitals(victim.agentAddress)
    })
    const twin = { ...victim, id, userAddress }
    const funded = yield* givenOrder(twin)
    yield* (yield* LedgerFixture).editTask(funded, { status: "funded" })
    assert.strictEqual((yield* workOf(twin)).stopped, `agent wallet ${victim.id} has the same agent_address`)
    yield* givenOrder(twin)
    assert.isDefined((yield* ordersOf(twin)).stopped)
    assert.isDefined((yield* ordersOf(victim)).stopped)
  })

  promises(
    "a wallet without any order is looked at too, and one that is no address stops the others not",
    function* () {
      const wallet = yield* givenWallet()
      yield* (yield* LedgerFixture).insertWallet({ userAddress: "nobody", agentAddress: "0x12" })
      assert.deepStrictEqual(yield* check, [])
      yield* editWallet(wallet, { userAddress: "gone" })
      const reason = `its user_address was ${wallet.userAddress} and is "gone"`
      assert.deepStrictEqual(yield* check, [{ walletId: wallet.id, agentAddress: wallet.agentAddress, reason }])
    }
  )

  promises("a person, an account or a name of both that two rows have finds the two, sound or not", function* () {
    const [one, other] = [yield* givenWallet(1), yield* givenWallet(2)]
    const fixture = yield* LedgerFixture
    const third = yield* fixture.insertWallet({ userAddress: inCapitals(one.userAddress), agentAddress: "0x12" })
    yield* fixture.editWallet(other.id, { agentAddress: inCapitals(one.agentAddress) })
    const idsOf = Effect.fnUntraced(function* (name: string) {
      return (yield* (yield* DecisionRepo).findWallets(name)).map(({ id }) => id).toSorted()
    })
    assert.deepStrictEqual(yield* idsOf(one.userAddress), [one.id, third].toSorted())
    assert.deepStrictEqual(yield* idsOf(one.agentAddress), [one.id, other.id].toSorted())
    assert.deepStrictEqual(yield* idsOf(one.id), [one.id])
  })

  promises("a wallet is found by its id, its user or its own address, in any case", function* () {
    const wallet = yield* givenWallet()
    const repo = yield* DecisionRepo
    for (const name of [wallet.id, wallet.userAddress, inCapitals(wallet.agentAddress)]) {
      assert.deepStrictEqual(
        (yield* repo.findWallets(name)).map((named) => named.wallet?.id),
        [wallet.id]
      )
    }
    assert.deepStrictEqual(yield* repo.findWallets("nobody"), [])
  })
}
