import type { NextAction } from "./nextAction.ts"

type ProblemKind = {
  readonly nextAction: NextAction
  /** Whether money of the order, or of the wallet that was named, may have moved or may be about to. */
  readonly moneyMayHaveMoved: boolean
}

const kind = (nextAction: NextAction, moneyMayHaveMoved = false): ProblemKind => ({ nextAction, moneyMayHaveMoved })

/**
 * Every problem that a program can be answered with, what it does next, and whether money may have moved. A code never
 * changes its meaning. With `none` the request has to be corrected, or there is nothing left to do.
 */
export const PROBLEMS = {
  /** The request cannot be read, or is about nothing that is there. */
  bad_request: kind("none"),
  not_found: kind("none"),
  method_not_allowed: kind("none"),
  too_large: kind("none"),
  unsupported: kind("none"),

  /** The caller may not do this. */
  unauthorized: kind("ask_operator"),
  forbidden: kind("ask_operator"),

  /** Nothing was done, and the same request may be sent again in a moment. */
  too_many_requests: kind("retry_same_request"),
  unavailable: kind("retry_same_request"),
  changed_meanwhile: kind("retry_same_request"),
  not_now: kind("retry_same_request"),

  /** Understood and refused; nothing was done. `refused`: a person has to see why. */
  refused: kind("ask_operator"),
  wallet_stopped: kind("ask_operator"),
  no_price: kind("ask_operator"),
  invalid_order: kind("none"),
  ambiguous_name: kind("none"),
  id_taken: kind("none"),
  no_wallet: kind("none"),
  quote_unusable: kind("none"),
  sold_out: kind("none"),
  already_ended: kind("none"),
  nothing_to_do: kind("none"),
  already_paid: kind("wait"),
  may_be_paid: kind("wait"),
  /** A payment of the order or of its wallet is signed, and its outcome is not proven. */
  payment_in_flight: kind("wait", true),

  /** No payment that was taken came with the request. */
  payment_required: kind("pay"),
  price_changed: kind("pay"),
  payment_refused: kind("pay"),
  payment_lapsed: kind("pay"),
  payment_unreadable: kind("none"),
  /** The payment that came may be made at any moment. */
  settlement_pending: kind("retry_same_request", true),

  /** It could not be answered. `in_doubt`: what was asked for may have been done. */
  internal_error: kind("ask_operator"),
  in_doubt: kind("ask_operator", true)
} as const satisfies Readonly<Record<string, ProblemKind>>

export type ProblemCode = keyof typeof PROBLEMS

export const PROBLEM_CODES = Object.keys(PROBLEMS) as ReadonlyArray<ProblemCode>

/** What a problem says to a program. */
export type ProblemWords = ProblemKind & { readonly code: ProblemCode }

export const problemWords = (code: ProblemCode): ProblemWords => ({ code, ...PROBLEMS[code] })
