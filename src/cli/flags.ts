import { Option, Schema } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { parse } from "../domain/Address.ts"
import { usdc, type Usdc } from "../domain/Usdc.ts"
import { Moment } from "../operator/requests.ts"

export const task = Argument.String("task").pipe(
  Argument.withDescription("The task: its id, or the first eight digits of it, as the log has them")
)

export const wallet = Argument.String("wallet").pipe(
  Argument.withDescription("The agent wallet: its id, the address of its user, or its own")
)

export const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Prints the report as JSON. Amounts are base units of USDC (6 decimals), as text")
)

export const direct = Flag.Boolean("direct").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Straight on database and chain of the settings, for when no executor runs")
)

/** A number from 1 on. */
export const upTo = (name: string, most: number) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (n) => n >= 1 && n <= most,
      () => `1 to ${most}`
    )
  )

/** An address, in any case. */
export const addressFlag = (name: string) =>
  Flag.String(name).pipe(
    Flag.filter(
      (text) => parse(text) !== undefined,
      () => "an address: 0x and 40 hex digits"
    )
  )

export const tokenOnly = addressFlag("token").pipe(
  Flag.optional,
  Flag.withDescription("Only orders of this token: 0x…")
)

export const walletOnly = Flag.String("wallet").pipe(
  Flag.optional,
  Flag.withDescription("Only the orders of this agent wallet (its id, its user's address, or its own)")
)

const TRANSACTION = /^0x[0-9a-fA-F]{64}$/

export const transactionOnly = Flag.String("tx").pipe(
  Flag.filter(
    (text) => TRANSACTION.test(text),
    () => "a transaction: 0x and 64 hex digits"
  ),
  Flag.optional,
  Flag.withDescription("Only orders that this transaction is a deposit, a payment, a mint or a refund of: 0x…")
)

const isMoment = Schema.is(Moment)

export const momentFlag = (name: string) =>
  Flag.String(name).pipe(Flag.filter(isMoment, () => "a time like 2026-11-28 or 2026-11-28T12:00:00Z"))

const whyText = Flag.String("why").pipe(
  Flag.filter(
    (text) => text.trim() !== "",
    () => "a reason, in words"
  )
)

/** Kept with the decision for ever. */
export const why = whyText.pipe(Flag.withDescription("The reason, in your own words. It is kept with the decision"))

export const whyWhereConfirmed = whyText.pipe(
  Flag.optional,
  Flag.withDescription("The reason, in your own words: with --confirm it must be given, and is kept")
)

export const withdrawFlag = Flag.String("withdraw").pipe(
  Flag.optional,
  Flag.withDescription("Instead: gives up the refund of this id (or its first eight digits) that does not get on chain")
)

export const to = addressFlag("to").pipe(
  Flag.optional,
  Flag.withDescription("Who gets it, as was shown: the wallet's user, and no other account")
)

const countFlag = (name: string, most: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (n) => n >= 0,
      () => `a whole number, ${most}`
    ),
    Flag.optional
  )

export const mintsDelivered = countFlag("mints", "0 to the quantity of the order").pipe(
  Flag.withDescription("How many mints of the order were really delivered. Default: as many as it counts")
)

export const mintsOfBatch = countFlag("mints", "0 to the quantity of the batch").pipe(
  Flag.withDescription(
    "With --as delivered: how many mints of the batch the person has, where the chain cannot show it"
  )
)

export const batch = countFlag("batch", "1 or more").pipe(
  Flag.withDescription("The number of the batch. Default: the one that is to be decided")
)

const AMOUNT = /^(\d{1,12})(?:\.(\d{1,6}))?$/

/** `2.5` as base units; `undefined` where it is no amount. */
const parseAmount = (text: string): Usdc | undefined => {
  const [, whole, fraction = ""] = AMOUNT.exec(text.trim()) ?? []
  return whole === undefined ? undefined : usdc(BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0")))
}

export const amountFlag = (name: string) =>
  Flag.String(name).pipe(
    Flag.filterMap(
      (text) => Option.fromUndefinedOr(parseAmount(text)),
      () => "an amount of USDC like 2.5, with at most six decimals"
    )
  )

export const amount = amountFlag("amount").pipe(
  Flag.optional,
  Flag.withDescription("How many USDC. Default: all that is free")
)

export const confirm = Flag.Boolean("confirm").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Really does it. Without it, it only says what it would do")
)

/** Those that were typed: a request has no key for what was not. */
export const given = <T extends Readonly<Record<string, Option.Option<unknown>>>>(options: T) =>
  Object.fromEntries(
    Object.entries(options).flatMap(([key, option]) => (Option.isSome(option) ? [[key, option.value]] : []))
  ) as { readonly [K in keyof T]?: T[K] extends Option.Option<infer A> ? A : never }
