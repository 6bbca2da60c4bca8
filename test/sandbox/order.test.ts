import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Address, address } from "../../src/domain/Address.ts"
import { times, usdc, type Usdc } from "../../src/domain/Usdc.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import { listen } from "../../src/sandbox/listen.ts"
import { OrderDesk, type OrderRequest } from "../../src/sandbox/OrderDesk.ts"
import { NotPaid } from "../../src/sandbox/SandboxApi.ts"
import { sandboxRoutes } from "../../src/sandbox/sandboxRoutes.ts"
import { anyId } from "../support/anyId.ts"
import { announce, emptyDirectory, info, scriptOf, TOKEN, UNUSED_PID } from "./commandFixtures.ts"

const USER = address(`0x${"11".repeat(20)}`)
const WALLET = address(`0x${"22".repeat(20)}`)
const WALLET_ID = anyId("def67890-0000-4000-8000-000000000000")
const TASK = anyId("abc12345-0000-4000-8000-000000000000")

const order = scriptOf("order")

interface Desk {
  readonly asked: Array<OrderRequest>
  readonly paid: Array<readonly [Address, Usdc]>
}

/** A desk without a database: it takes every order, as task `TASK`, and cannot be paid for 13 mints. */
const scripted = ({ asked, paid }: Desk) =>
  Layer.mock(OrderDesk, {
    placeOrder: (request) =>
      Effect.sync(() => {
        asked.push(request)
        const totalCost = times(request.pricePerMint, request.quantity)
        const ids = { taskId: TASK, walletId: WALLET_ID, userAddress: request.user ?? USER, agentAddress: WALLET }
        return { ...ids, totalCost, createdAt: new Date() }
      }),
    pay: (to, amount) =>
      amount === usdc(20_800_000n)
        ? Effect.fail(new NotPaid({ error: "USDC is paused" }))
        : Effect.sync(() => paid.push([to, amount]))
  })

/** A directory with a sandbox on it: the real control endpoints on a real port, and the scripted desk behind them. */
const sandbox = Effect.gen(function* () {
  const desk: Desk = { asked: [], paid: [] }
  const pace = { paymentTimeout: Duration.minutes(10), checkInterval: Duration.seconds(10), faults: Faults.make() }
  const routes = yield* sandboxRoutes({ token: TOKEN, pricePerMint: usdc(1_600_000n), ...pace }).pipe(
    Effect.provide(scripted(desk))
  )
  const url = yield* listen(routes)
  const directory = yield* emptyDirectory
  yield* announce(directory, url)
  return { directory, url, desk }
})

describe("sandbox:order", () => {
  it.live("orders five mints, paid now, without arguments; says what it did, what comes next and where to look", () =>
    Effect.gen(function* () {
      const { directory, url, desk } = yield* sandbox
      const { status, stdout, stderr } = yield* order(directory)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.deepStrictEqual(stdout.split("\n"), [
        "🛒 Order placed: 5 mints at 1.60 USDC, 8.00 USDC in all",
        `   Task:         ${TASK}`,
        `   User:         ${USER} (gets the tokens)`,
        `   Agent wallet: ${WALLET} (gets the money)`,
        `   Token:        ${TOKEN}`,
        "",
        "💵 Paid: 8.00 USDC are in the agent wallet.",
        "At its next check the executor sees them, and then has 5 mints made in batches.",
        "",
        "Where to look:",
        "   the log, where the sandbox runs: lines with abc12345",
        `   the order and its mints:         curl ${url}/sandbox/orders/${TASK}`,
        ""
      ])
      assert.deepStrictEqual(desk.asked, [{ token: TOKEN, quantity: 5, pricePerMint: usdc(1_600_000n) }])
      assert.deepStrictEqual(desk.paid, [[WALLET, usdc(8_000_000n)]])
    })
  )

  it.live("orders for a given person, whose earlier money counts too", () =>
    Effect.gen(function* () {
      const { directory, desk } = yield* sandbox
      const user = address(`0x${"ab".repeat(20)}`)
      const { stdout } = yield* order(directory, "--user", `0x${"AB".repeat(20)}`, "-n", "1", "--pay", "never")
      assert.strictEqual(desk.asked[0]?.user, user)
      assert.match(stdout, /Order placed: 1 mint at 1\.60 USDC, 1\.60 USDC in all/)
      assert.match(
        stdout,
        /🚫 Nothing is paid\.\n.*cancels the order at its first check after \d\d:\d\d:\d\d UTC \(in 9m \d\ds\)\./
      )
      assert.match(stdout, /What the wallet holds from earlier orders counts too\./)
    })
  )

  it.live("says what happens to half of the money", () =>
    Effect.gen(function* () {
      const { directory } = yield* sandbox
      const { stdout } = yield* order(directory, "--pay", "half")
      assert.match(stdout, /💵 Paid: 4\.00 of 8\.00 USDC are in the agent wallet\./)
      assert.match(stdout, /\(in 9m \d\ds\),\nunless the rest arrives\. What was paid stays as the wallet's credit\./)
    })
  )

  it.live("says when money comes too late", () =>
    Effect.gen(function* () {
      const { directory, desk } = yield* sandbox
      const { stdout } = yield* order(directory, "--pay", "late")
      assert.match(stdout, /⏳ Not paid yet: 8\.00 USDC come at \d\d:\d\d:\d\d UTC \(in 10m \d\ds\)\./)
      assert.match(stdout, /The money comes too late, and stays as the wallet's credit\./)
      assert.deepStrictEqual(desk.paid, [])
    })
  )

  it.live("says that a payment failed, and why", () =>
    Effect.gen(function* () {
      const { directory } = yield* Effect.provide(sandbox, Logger.layer([]))
      const { status, stdout } = yield* order(directory, "--quantity", "13")
      assert.strictEqual(status, 0)
      assert.match(stdout, /💥 The payment failed: USDC is paused\n/)
    })
  )

  it.live("ends with code 1 when the sandbox has died, or another version wrote about it", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDirectory
      yield* announce(directory, info.serverUrl, UNUSED_PID)
      const dead = yield* order(directory)
      assert.deepStrictEqual([dead.status, dead.stdout], [1, ""])
      assert.match(
        dead.stderr,
        /The sandbox on \.data \(process 99999999\) is gone without a farewell\. Start one with: npm start/
      )
      writeFileSync(join(directory, ".data/sandbox.json"), "{}")
      const odd = yield* order(directory)
      assert.strictEqual(odd.status, 1)
      assert.match(odd.stderr, /\.data\/sandbox\.json is not what a sandbox of this version writes/)
    })
  )

  it.live("ends with code 1 when the sandbox does not answer, or not in words that it knows", () =>
    Effect.gen(function* () {
      const { url } = yield* Effect.scoped(sandbox)
      const directory = yield* emptyDirectory
      yield* announce(directory, url)
      const silent = yield* order(directory)
      assert.strictEqual(silent.status, 1)
      assert.include(silent.stderr, `The sandbox does not answer at ${url}/sandbox/orders.`)
      yield* announce(directory, yield* listen(() => new Response("", { status: 404 })))
      const { status, stderr } = yield* order(directory)
      assert.strictEqual(status, 1)
      assert.match(stderr, /The sandbox refused: HTTP status 404/)
    })
  )

  it.live("explains itself, and ends with code 1 and what is wrong with a flag", () =>
    Effect.gen(function* () {
      const directory = yield* emptyDirectory
      const wrong = [
        [["--quantity", "0"], /--quantity.*a whole number from 1 to 1000/],
        [["--user", "0x1"], /--user.*the address of an account/]
      ] as const
      const answers = yield* Effect.forEach(wrong, ([args]) => order(directory, ...args), { concurrency: 2 })
      for (const [index, { status, stderr }] of answers.entries()) {
        assert.strictEqual(status, 1)
        assert.match(stderr, wrong[index]?.[1] ?? assert.fail())
      }
      const { stdout } = yield* order(directory, "--help")
      for (const flag of ["--quantity", "--pay", "--user", "--data-dir"]) assert.include(stdout, flag)
    })
  )
})
