import { Schema } from "effect"
import { TaskId } from "../../src/domain/Task.ts"

const AnyId = TaskId.pipe(Schema.brand("WalletId"), Schema.brand("RefundId"))

/** An order's, a wallet's or a refund's, whichever the test needs. */
export type AnyId = typeof AnyId.Type

/** Throws on anything that is no UUID in lower case. */
export const anyId = (text: string): AnyId => AnyId.make(text)
