import { Effect, Result, Schema } from "effect"
import { appendFile, mkdir, readFile, truncate } from "node:fs/promises"
import { join } from "node:path"
import { Address } from "../domain/Address.ts"
import { Usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import { keyOf, type Payment } from "./mintOrder.ts"

/** The server cannot read or write what it must remember. */
export class MintRecordsError extends Schema.TaggedError<MintRecordsError>()("MintRecordsError", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** What a payment is for. */
const MintRecord = Schema.Struct({
  payer: Address,
  nonce: Schema.TemplateLiteral(["0x", Schema.String]),
  token: Address,
  recipient: Address,
  quantity: Schema.Int,
  amount: Schema.BigIntFromString.pipe(Schema.decodeTo(Usdc)),
  /** The payment is in this block or a later one. Bounds the search for it. */
  fromBlock: Schema.BigIntFromString
})
export type MintRecord = typeof MintRecord.Type

export const recordOf = (order: MintOrder, { payer, nonce, amount }: Payment, fromBlock: bigint): MintRecord => ({
  ...order,
  payer,
  nonce,
  amount,
  fromBlock
})

const Line = Schema.fromJsonString(MintRecord)
const decodeLine = Schema.decodeUnknownResult(Line)
const encodeLine = Schema.encodeSync(Line)

export interface MintRecords {
  readonly find: (payment: Pick<Payment, "payer" | "nonce">) => MintRecord | undefined
  /** Returns when the record is on disk. */
  readonly add: (record: MintRecord) => Effect.Effect<void, MintRecordsError>
}

/** One record a line, in JSON. */
const FILE = "mint-orders.jsonl"

/**
 * What each payment was made for, written down before it is settled.
 *
 * An x402 payment names neither recipient nor quantity, and once it is settled its bytes are public: without a record
 * anybody could resend them with an address of their own. And the record must be on disk: a server that dies between
 * payment and mint has only this to tell whom the mints of a resend belong to.
 */
export const open = Effect.fn("MintRecords.open")(function* (
  dataDir: string
): Effect.fn.Return<MintRecords, MintRecordsError> {
  const path = join(dataDir, FILE)
  const text = yield* attempt(`cannot read ${FILE}`, async () => {
    await mkdir(dataDir, { recursive: true })
    return readFile(path, { encoding: "utf8", flag: "a+" })
  })
  // A line that was cut off belongs to a payment that was not settled then: a payment waits for its line.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1)
  if (whole !== text) yield* attempt(`cannot mend ${FILE}`, () => truncate(path, Buffer.byteLength(whole)))
  const records = new Map<string, MintRecord>()
  for (const [index, line] of whole.split("\n").slice(0, -1).entries()) {
    const record = decodeLine(line)
    if (Result.isFailure(record))
      return yield* new MintRecordsError({ message: `${FILE}, line ${index + 1}: unreadable` })
    records.set(keyOf(record.success), record.success)
  }
  return {
    find: (payment) => records.get(keyOf(payment)),
    add: (record) =>
      attempt(`cannot write ${FILE}`, () => appendFile(path, `${encodeLine(record)}\n`, { flush: true })).pipe(
        Effect.andThen(Effect.sync(() => void records.set(keyOf(record), record)))
      )
  }
})

const attempt = <A>(message: string, work: () => Promise<A>): Effect.Effect<A, MintRecordsError> =>
  Effect.tryPromise({ try: work, catch: (cause) => new MintRecordsError({ message, cause }) })
