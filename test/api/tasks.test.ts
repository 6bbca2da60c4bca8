import { assert, layer } from "@effect/vitest"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { givenHeld, lost, units } from "../operator/given.ts"
import { anyId } from "../support/anyId.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { serving, stories, withToken } from "./served.ts"

const WHY = { why: "the user asked" }

layer(Postgres.session())("orders over the API", (it) => {
  const { served } = stories(it)
  served("are listed newest first, page by page, by what is asked for", function* () {
    const { ask } = yield* serving(withToken)
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const ids: Array<string> = []
    for (let n = 0; n < 5; n++) {
      ids.unshift(yield* order(n === 2 ? bob : ann, 1))
      yield* pass(1)
    }
    const first = yield* ask("/api/tasks?limit=2")
    const second = yield* ask(`/api/tasks?limit=3&cursor=${first.json.next}`)
    const listed = [...first.json.tasks, ...second.json.tasks].map(({ id }) => id)
    assert.deepStrictEqual(listed, ids)
    assert.isNull(second.json.next)
    const ofBob = yield* ask(
      `/api/tasks?user=${bob.userAddress.toUpperCase().replace("X", "x")}&status=pending_payment`
    )
    assert.deepStrictEqual(
      ofBob.json.tasks.map(({ id }: { id: string }) => id),
      [ids[2]]
    )
    const ofWallet = yield* ask(`/api/tasks?wallet=${ann.agentAddress}&held=false`)
    assert.lengthOf(ofWallet.json.tasks, 4)
    const placed = listed.length - 1
    const { createdAt } = first.json.tasks[0]
    assert.lengthOf((yield* ask(`/api/tasks?from=${createdAt}`)).json.tasks, 1)
    assert.lengthOf((yield* ask(`/api/tasks?from=1970-01-01&to=${createdAt}`)).json.tasks, placed)
    assert.lengthOf((yield* ask(`/api/tasks?tx=0x${"0".repeat(64)}`)).json.tasks, 0)
    assert.lengthOf((yield* ask("/api/tasks?status=funded,completed")).json.tasks, 0)
    assert.lengthOf((yield* ask("/api/tasks?held=true")).json.tasks, 0)
  })

  served("are told with all that happened to them, from the quote to the tokens", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    yield* start
    const before = (yield* ask(`/api/tasks/${task.slice(0, 8)}/explain`)).json
    assert.include(before.next.text, "waits for 5.00 USDC more")
    world.deposit(ann.agentAddress, units(5))
    yield* pass(40)
    const { status, json } = yield* ask(`/api/tasks/${task}/explain`)
    assert.strictEqual(status, 200)
    assert.include(json.summary, "is completed: 5 of 5 mints delivered, 5.00 of 5.00 USDC paid")
    const kinds = json.steps.map(({ kind }: { kind: string }) => kind)
    for (const kind of ["created", "deposit", "funded", "planned", "signed", "paid", "delivered", "completed"]) {
      assert.include(kinds, kind)
    }
    const txs = json.steps.flatMap((step: { txs: ReadonlyArray<string> }) => step.txs)
    assert.isAbove(txs.length, 2)
    for (const tx of txs) {
      const { tasks } = (yield* ask(`/api/tasks?tx=${tx.toUpperCase().replace("X", "x")}`)).json
      assert.deepStrictEqual(
        tasks.map(({ id }: { id: string }) => id),
        [task]
      )
    }
    assert.deepInclude(json.batches[0], { number: 1, status: "delivered", quantity: 5, minted: 5, amount: "5000000" })
    assert.include(json.next.text, "every mint is delivered")
    assert.strictEqual((yield* ask(`/api/tasks/${task}`)).json.status, "completed")
  })

  served("say what a person can do where they are held", function* () {
    const { ask } = yield* serving(withToken)
    const { task } = yield* givenHeld("cancelled")
    const { json } = yield* ask(`/api/tasks/${task}/explain`)
    assert.include(json.next.text, "Nothing until a person decides")
    assert.match(json.next.commands[0], /^resolve .* --batch 1 --as/)
    const { json: overview } = yield* ask("/api/overview")
    assert.deepInclude(overview.attention[0], {
      kind: "held",
      taskId: task,
      command: `tasks explain ${task.slice(0, 8)}`
    })
  })

  served("are placed once, however often the same request comes", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const ann = yield* person("ann")
    const id = anyId("33333333-3333-4333-8333-333333333333")
    const wish = {
      id,
      userAddress: ann.userAddress,
      tokenAddress: `0x${"7e".repeat(20)}`,
      quantity: 3,
      pricePerMint: "1000000"
    }
    const first = yield* ask("/api/tasks", { body: wish })
    assert.strictEqual(first.status, 201)
    assert.deepInclude(first.json, { taskId: id, isNew: true, totalCost: "3000000", agentAddress: ann.agentAddress })
    assert.isFalse((yield* ask("/api/tasks", { body: wish })).json.isNew)
    const other = yield* ask("/api/tasks", { body: { ...wish, quantity: 4 } })
    assert.deepStrictEqual([other.status, other.json.title], [409, "Refused"])
    const unpriced = { userAddress: ann.userAddress, tokenAddress: wish.tokenAddress, quantity: 2 }
    assert.strictEqual((yield* ask("/api/tasks", { body: unpriced })).json.totalCost, String(world.pricePerMint * 2n))
    const nobody = yield* ask("/api/tasks", { body: { ...wish, userAddress: `0x${"1".repeat(40)}` } })
    assert.strictEqual(nobody.status, 404)
    assert.include(nobody.json.detail, "no agent wallet")
    yield* start
    world.deposit(ann.agentAddress, units(3))
    yield* pass(40)
    assert.strictEqual((yield* readTask(id)).status, "completed")
  })

  served("are cancelled where nobody paid, and what is refused says why", function* () {
    const { ask } = yield* serving(withToken)
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    const noReason = yield* ask(`/api/tasks/${task}/cancel`, { body: { why: " " } })
    assert.deepStrictEqual([noReason.status, noReason.json.errors[0].path], [400, ["payload", "why"]])
    const done = yield* ask(`/api/tasks/${task}/cancel`, { body: WHY })
    assert.deepInclude(done.json, { command: "cancel", taskId: task, credit: "0" })
    const again = yield* ask(`/api/tasks/${task}/cancel`, { body: WHY })
    assert.deepStrictEqual([again.status, again.type], [409, "application/problem+json"])
    assert.include(again.json.detail, "has ended already")
    assert.strictEqual((yield* ask(`/api/tasks/ffffffff/cancel`, { body: WHY })).status, 404)
    assert.strictEqual((yield* ask(`/api/tasks/${task}/retry`, { body: WHY })).status, 409)
  })

  served("and wallets show the chain beside the ledger, and what a refund would do", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const ann = yield* person("ann")
    yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(2))
    yield* start
    yield* pass(10)
    const { json } = yield* ask(`/api/wallets/${ann.userAddress}`)
    assert.deepInclude(json.chain, { balance: "2000000" })
    assert.deepInclude(json.ledger, { expected: "2000000", reserved: "0" })
    assert.deepStrictEqual([json.credit, json.tasks.length, json.deposits.length], ["2000000", 1, 1])
    const dry = yield* ask(`/api/wallets/${ann.agentAddress}/refund`, { body: {} })
    assert.deepInclude(dry.json, { command: "refund", amount: "2000000", refundId: null })
    const unexplained = yield* ask(`/api/wallets/${ann.agentAddress}/refund`, { body: { confirm: true } })
    assert.strictEqual(unexplained.status, 409)
    assert.strictEqual((yield* ask("/api/wallets/nobody")).status, 404)
    world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "down" })
    assert.isNull((yield* ask(`/api/wallets/${ann.agentAddress}`)).json.chain)
    assert.strictEqual((yield* ask(`/api/wallets/${ann.agentAddress}/refund`, { body: {} })).status, 503)
  })

  served("say in words for programs what is next, from the quote to the tokens", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const ann = yield* person("ann")
    const wish = { userAddress: ann.userAddress, tokenAddress: `0x${"7e".repeat(20)}`, quantity: 5 }
    const placed = (yield* ask("/api/tasks", { body: { ...wish, pricePerMint: "1000000" } })).json
    const pay = { paymentState: "unpaid", nextAction: "pay", amountDue: "5000000", payTo: ann.agentAddress }
    assert.deepInclude(placed, pay)
    const said = function* () {
      const path = `/api/tasks/${placed.taskId}`
      const shown = wordsOf((yield* ask(path)).json)
      assert.deepStrictEqual(wordsOf((yield* ask(`${path}/explain`)).json.task), shown)
      assert.deepStrictEqual(wordsOf((yield* ask("/api/tasks")).json.tasks[0]), shown)
      return shown
    }
    const first = yield* said()
    assert.deepInclude(first, pay)
    assert.strictEqual(first.payBy, (yield* ask(`/api/tasks/${placed.taskId}`)).json.deadline)
    yield* start
    world.deposit(ann.agentAddress, units(2))
    yield* pass(10)
    assert.deepInclude(yield* said(), { ...pay, paymentState: "partial", amountDue: "3000000" })
    world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "down" })
    yield* pass(2)
    assert.deepInclude(yield* said(), { paymentState: "partial", nextAction: "wait", amountDue: null })
    world.chainFault = undefined
    world.manners.pay = () => lost
    world.deposit(ann.agentAddress, units(3))
    yield* pass(20)
    const none = { amountDue: "0", payTo: null, payBy: null }
    assert.deepInclude(yield* said(), { ...none, paymentState: "in_flight", nextAction: "wait" })
    delete world.manners.pay
    yield* pass(120)
    assert.deepStrictEqual(yield* said(), {
      ...none,
      paymentState: "settled",
      nextAction: "none",
      checkAgainAfterSeconds: null
    })
  })

  served(
    "refuse in words for programs: what is the matter, what to do, and whether money may have moved",
    function* () {
      const { ask } = yield* serving(withToken)
      const world = yield* World
      const ann = yield* person("ann")
      const task = yield* order(ann, 5)
      const wish = {
        userAddress: ann.userAddress,
        tokenAddress: `0x${"7e".repeat(20)}`,
        quantity: 1,
        pricePerMint: "1"
      }
      const said = function* (path: string, options?: Parameters<typeof ask>[1]) {
        const { status, json } = yield* ask(path, options)
        return [status, json.code, json.nextAction, json.moneyMayHaveMoved]
      }
      const cancelled = { body: WHY }
      assert.deepStrictEqual(yield* said("/api/tasks/ffffffff"), [404, "not_found", "none", false])
      assert.deepStrictEqual(yield* said("/nowhere"), [404, "not_found", "none", false])
      assert.deepStrictEqual(yield* said("/api/tasks", { body: {} }), [400, "bad_request", "none", false])
      assert.deepStrictEqual(yield* said("/api//tasks"), [400, "bad_request", "none", false])
      const taken = { ...wish, id: anyId("44444444-4444-4444-8444-444444444444") }
      assert.strictEqual((yield* ask("/api/tasks", { body: taken })).status, 201)
      const again = { body: { ...taken, quantity: 2 } }
      assert.deepStrictEqual(yield* said("/api/tasks", again), [409, "id_taken", "none", false])
      assert.strictEqual((yield* ask(`/api/tasks/${taken.id}/cancel`, cancelled)).status, 200)
      const noPrice = { ...wish, pricePerMint: "0" }
      assert.deepStrictEqual(yield* said("/api/tasks", { body: noPrice }), [409, "invalid_order", "none", false])
      world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "down" })
      const later = [503, "unavailable", "retry_same_request", false]
      assert.deepStrictEqual(yield* said(`/api/tasks/${task}/cancel`, cancelled), later)
      world.chainFault = undefined
      yield* start
      world.manners.pay = () => lost
      world.deposit(ann.agentAddress, units(5))
      yield* pass(20)
      const inFlight = [409, "payment_in_flight", "wait", true]
      assert.deepStrictEqual(yield* said(`/api/tasks/${task}/cancel`, cancelled), inFlight)
      const goesOn = [409, "nothing_to_do", "none", false]
      assert.deepStrictEqual(yield* said(`/api/tasks/${task}/retry`, cancelled), goesOn)
      delete world.manners.pay
      yield* pass(120)
      assert.deepStrictEqual(yield* said(`/api/tasks/${task}/cancel`, cancelled), [409, "already_ended", "none", false])
    }
  )

  served("say so where nobody paid, and what came too late can be sent back", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    yield* start
    yield* pass(620)
    const words = function* () {
      return wordsOf((yield* ask(`/api/tasks/${task}`)).json)
    }
    assert.deepInclude(yield* words(), { paymentState: "unpaid", nextAction: "new_order", amountDue: "0", payTo: null })
    world.deposit(ann.agentAddress, units(5))
    yield* pass(20)
    assert.deepInclude(yield* words(), { paymentState: "refundable", nextAction: "new_order" })
    // The next order is paid with it.
    const next = yield* order(ann, 5)
    const { json } = yield* ask(`/api/tasks?wallet=${ann.agentAddress}`)
    assert.deepStrictEqual(
      json.tasks.map((one: Record<string, unknown>) => [one["id"], one["paymentState"], one["nextAction"]]),
      [
        [next, "partial", "wait"],
        [task, "unpaid", "new_order"]
      ]
    )
  })
})

const WORDS = ["paymentState", "nextAction", "amountDue", "payTo", "payBy", "checkAgainAfterSeconds"] as const

const wordsOf = (task: Record<string, unknown>) => Object.fromEntries(WORDS.map((name) => [name, task[name]]))
