import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Option, Schema } from "effect"
import { KeyValueStore } from "effect/persistence"
import { Address, Bytes32 } from "../domain/Address.ts"
import { Usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import { paymentKey, type ReceivedPayment } from "./mintOrder.ts"

/** What a payment is for. */
const MintRecord = Schema.Struct({
  payer: Address,
  nonce: Bytes32,
  token: Address,
  recipient: Address,
  quantity: Schema.Int,
  amount: Usdc,
  /** The payment is in this block or a later one. Bounds the search for it. */
  fromBlock: Schema.BigInt
})
export type MintRecord = typeof MintRecord.Type

export const recordOf = (
  order: MintOrder,
  { payer, nonce, amount }: ReceivedPayment,
  fromBlock: bigint
): MintRecord => ({
  ...order,
  payer,
  nonce,
  amount,
  fromBlock
})

/**
 * What each payment was made for, written down before it is settled: a file for each.
 *
 * An x402 payment names neither recipient nor quantity, and once it is settled its bytes are public: without a record
 * any client could resend them with an address of their own. And the record must be in a file: a server that dies between
 * payment and mint has only this to tell whom the mints of a resend belong to.
 */
export const open = Effect.fn("MintRecords.open")(
  function* (_dataDir: string) {
    const records = KeyValueStore.toSchemaStore(yield* KeyValueStore.KeyValueStore, MintRecord)
    return {
      find: (payment: Pick<ReceivedPayment, "payer" | "nonce">) =>
        records.get(paymentKey(payment)).pipe(
          Effect.map(Option.getOrUndefined),
          // A record that was cut off belongs to a payment that was not settled then: a payment waits for its record.
          Effect.catchTag("SchemaError", () => Effect.undefined)
        ),
      /** Returns when the record is written. */
      add: (record: MintRecord) => records.set(paymentKey(record), record)
    }
  },
  (work, dataDir) =>
    Effect.provide(work, KeyValueStore.layerFileSystem(dataDir).pipe(Layer.provide(NodeServices.layer)))
)

export type MintRecords = Effect.Success<ReturnType<typeof open>>
