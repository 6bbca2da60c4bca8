import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { type MintRecord, open } from "../../src/sandbox/mintRecords.ts"
import { newDataDir } from "./mintFixtures.ts"

const record: MintRecord = {
  payer: address(`0x${"9a".repeat(20)}`),
  nonce: `0x${"c0".repeat(32)}`,
  token: address(`0x${"70".repeat(20)}`),
  recipient: address(`0x${"4e".repeat(20)}`),
  quantity: 10,
  amount: usdc(10_000_000n),
  fromBlock: 42n
}
const another: MintRecord = { ...record, nonce: `0x${"c1".repeat(32)}`, quantity: 1 }

const fileIn = (dataDir: string) => join(dataDir, "mint-orders.jsonl")

describe("mintRecords", () => {
  it.effect("finds nothing in a folder that is not there yet", () =>
    Effect.gen(function* () {
      const records = yield* open(join(yield* newDataDir, "deep", "down"))
      assert.isUndefined(records.find(record))
    })
  )

  it.effect("finds what was added, also after a restart", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      const records = yield* open(dataDir)
      yield* records.add(record)
      yield* records.add(another)
      for (const opened of [records, yield* open(dataDir)]) {
        assert.deepStrictEqual(opened.find(record), record)
        assert.deepStrictEqual(opened.find(another), another)
        assert.isUndefined(opened.find({ ...record, payer: address(`0x${"9b".repeat(20)}`) }))
      }
    })
  )

  it.effect("drops a line that was cut off, and goes on after the last whole one", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* (yield* open(dataDir)).add(record)
      const whole = readFileSync(fileIn(dataDir), "utf8")
      appendFileSync(fileIn(dataDir), whole.slice(0, 50))
      yield* (yield* open(dataDir)).add(another)
      const records = yield* open(dataDir)
      assert.deepStrictEqual([records.find(record), records.find(another)], [record, another])
    })
  )

  it.effect("does not open over a line that it cannot read", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      yield* (yield* open(dataDir)).add(record)
      writeFileSync(fileIn(dataDir), `${readFileSync(fileIn(dataDir), "utf8")}{}\n`)
      const { message } = yield* Effect.flip(open(dataDir))
      assert.strictEqual(message, "mint-orders.jsonl, line 2: unreadable")
    })
  )

  it.effect("fails where it cannot write", () =>
    Effect.gen(function* () {
      const dataDir = yield* newDataDir
      writeFileSync(join(dataDir, "file"), "")
      const { message } = yield* Effect.flip(open(join(dataDir, "file")))
      assert.strictEqual(message, "cannot read mint-orders.jsonl")
    })
  )
})
