import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  endOf,
  mayMove,
  messages,
  readTask,
  remainingCost,
  shortId,
  type Status,
  type TaskRow
} from "../../src/domain/Task.ts"
import { words } from "../../src/domain/time.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { account, taskOf, wallet } from "./given.ts"

const STATUSES: ReadonlyArray<Status> = ["pending_payment", "funded", "processing", "completed", "failed", "cancelled"]

/** The drawing of design.md, section 1, line by line. */
const DRAWN: ReadonlyArray<readonly [Status, Status]> = [
  ["pending_payment", "funded"],
  ["pending_payment", "cancelled"],
  ["funded", "processing"],
  ["funded", "failed"],
  ["processing", "completed"],
  ["processing", "failed"],
  ["failed", "funded"]
]

describe("a task", () => {
  for (const from of STATUSES) {
    const drawn = DRAWN.filter(([status]) => status === from).map(([, to]) => to)
    it(`that is ${from} may become ${drawn.join(" or ") || "nothing else"}`, () => {
      assert.deepStrictEqual(STATUSES.filter((to) => mayMove(from, to)).toSorted(), drawn.toSorted())
    })
  }

  it("still costs what is not minted yet", () => {
    const price = usdc(1_500_000n)
    assert.strictEqual(remainingCost(taskOf({ quantity: 4, pricePerMint: price })), 6_000_000n)
    assert.strictEqual(remainingCost(taskOf({ quantity: 4, pricePerMint: price, mintsCompleted: 3 })), 1_500_000n)
    assert.strictEqual(remainingCost(taskOf({ quantity: 4, pricePerMint: price, mintsCompleted: 4 })), 0n)
  })

  it("is named by the first eight digits of its id", () => {
    assert.strictEqual(shortId("abc12345-6789-4000-8000-000000000000"), "abc12345")
  })
})

describe("a row that is read", () => {
  const row: TaskRow = taskOf()
  const aWallet = Result.succeed(wallet)

  it("is an order where all is well, its addresses in lower case", () => {
    const shouted = { ...row, userAddress: `0x${"A".repeat(40)}`, token: ` 0X${"B".repeat(40)} ` }
    const hers = Result.succeed({ ...wallet, userAddress: account("a") })
    const read = readTask(shouted, hers)
    assert.deepStrictEqual(read, Result.succeed({ ...taskOf(), userAddress: account("a"), token: account("b") }))
  })

  it.each([1, 1000])("may be for %d mints", (quantity) => {
    assert.isTrue(Result.isSuccess(readTask(taskOf({ quantity }), aWallet)))
  })

  it.each([
    [{ userAddress: "" }, 'user_address "" is not an address'],
    [{ userAddress: `${account("1")}0` }, `user_address "${account("1")}0" is not an address`],
    [{ token: `0x${"g".repeat(40)}` }, `token_address "0x${"g".repeat(40)}" is not an address`],
    [{ token: account("0") }, `token_address "${account("0")}" is not an address`],
    [{ quantity: 0, totalCost: 0n }, "quantity is 0, it must be 1 to 1000"],
    [{ quantity: 1001, totalCost: 1_501_500_000n }, "quantity is 1001, it must be 1 to 1000"],
    [{ pricePerMint: 0n, totalCost: 0n }, "price_per_mint is 0.00 USDC, it must be more than 0"],
    [{ pricePerMint: -1n, totalCost: -4n }, "price_per_mint is -0.000001 USDC, it must be more than 0"],
    [{ totalCost: 5_999_999n }, "total_cost is 5.999999 USDC, price_per_mint × quantity is 6.00 USDC"],
    [{ mintsCompleted: -1 }, "mints_completed is -1, it must be 0 to quantity"],
    [{ mintsCompleted: 5 }, "mints_completed is 5, it must be 0 to quantity"],
    [{ createdAtMs: Number.NaN }, "created_at is not a time"],
    [{ createdAtMs: Number.NEGATIVE_INFINITY }, "created_at is not a time"]
  ] as ReadonlyArray<readonly [Partial<TaskRow>, string]>)("with %o is none: %s", (change, fault) => {
    assert.deepStrictEqual(readTask({ ...row, ...change }, aWallet), Result.fail([fault]))
  })

  it("is none where its wallet is none, and every fault is named at once", () => {
    const read = readTask({ ...row, token: "?", totalCost: 1n }, Result.fail("the wallet is unknown"))
    assert.deepStrictEqual(
      read,
      Result.fail([
        "the wallet is unknown",
        'token_address "?" is not an address',
        "total_cost is 0.000001 USDC, price_per_mint × quantity is 6.00 USDC"
      ])
    )
  })

  it("does not let another program's text flood a message", () => {
    const read = readTask({ ...row, userAddress: "x".repeat(10_000) }, aWallet)
    assert.deepStrictEqual(read, Result.fail([`user_address "${"x".repeat(44)}…" is not an address`]))
  })
})

describe("the messages of v1.1, to the letter", () => {
  it.each([
    [messages.timeout(words(600_000)), "Payment timeout: No sufficient balance received within 10 minutes"],
    [messages.timeout(words(60_000)), "Payment timeout: No sufficient balance received within 1 minute"],
    [messages.retrying(1, 3, "sold out"), "Retry 1/3: sold out"],
    [messages.exceeded(3, "sold out"), "Exceeded retry limit after 3 attempts. Last error: sold out"]
  ])("%s", (said, expected) => {
    assert.strictEqual(said, expected)
  })
})

describe("the messages of a held order", () => {
  it.each([
    [messages.badOrder(["one", "two"]), "Held, this order cannot be carried out: one; two"],
    [messages.held("the nonce is cancelled"), "Held for the operator: the nonce is cancelled"],
    [
      messages.shortOfMoney(usdc(10_000_000n), usdc(2_500_000n)),
      "the agent wallet holds 2.50 USDC and this order needs 10.00"
    ]
  ])("%s", (said, expected) => {
    assert.strictEqual(said, expected)
  })
})

describe("how an order ended", () => {
  it.each([
    ["Cancelled", "Cancelled: the user asked", "Cancelled: the user asked"],
    ["cancelled", "Cancelled: the user asked", "cancelled: the user asked"],
    ["Cancelled", "Payment timeout: too late", "Cancelled: Payment timeout: too late"],
    ["Failed", "Failed by the operator: no more", "Failed by the operator: no more"],
    ["Failed", "", "Failed"]
  ])("%s, %s", (word, reason, expected) => {
    assert.strictEqual(endOf(word, reason), expected)
  })
})
