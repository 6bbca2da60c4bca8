import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { type MintRecord, open } from "../../src/sandbox/mintRecords.ts"
import { emptyDirectory } from "./commandFixtures.ts"

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

describe("mintRecords", () => {
  it.effect("finds what was added, also after a restart, and nothing else", () =>
    Effect.gen(function* () {
      const dataDir = join(yield* emptyDirectory, "deep", "down")
      const records = yield* open(dataDir)
      yield* records.add(record)
      yield* records.add(another)
      for (const { find } of [records, yield* open(dataDir)]) {
        assert.deepStrictEqual(yield* find(record), record)
        assert.deepStrictEqual(yield* find(another), another)
        assert.isUndefined(yield* find({ ...record, payer: address(`0x${"9b".repeat(20)}`) }))
      }
    })
  )

  it.effect("does not count a record that was cut off, and writes it anew", () =>
    Effect.gen(function* () {
      const dataDir = yield* emptyDirectory
      const records = yield* open(dataDir)
      yield* records.add(record)
      const [file = ""] = readdirSync(dataDir)
      writeFileSync(join(dataDir, file), readFileSync(join(dataDir, file), "utf8").slice(0, 50))
      assert.isUndefined(yield* records.find(record))
      yield* records.add(record)
      assert.deepStrictEqual(yield* records.find(record), record)
    })
  )

  it.effect("fails where it cannot write", () =>
    Effect.gen(function* () {
      const file = join(yield* emptyDirectory, "file")
      writeFileSync(file, "")
      const records = yield* open(file)
      assert.match((yield* Effect.flip(records.add(record))).message, /^Unable to set/)
    })
  )
})
