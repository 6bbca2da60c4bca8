/**
 * Whose fault a refusal is.
 *
 * - `order`: the order cannot be carried out as it is. Asked again it is refused again: it counts.
 * - `wallet`: the wallet cannot pay: no money, or an account whose signature is not taken.
 * - `ours`: what was sent is not what the server expects: its form, its network, its window.
 * - `environment`: the facilitator, its node or the network between; or what became of the payment is left open.
 */
export type Whose = "order" | "wallet" | "ours" | "environment"

/**
 * Codes of facilitators and of the packages around them, word for word. None of them is about what was ordered.
 *
 * Source: `x402` 0.7 and 1.2, `@x402/core`, `@x402/evm` and `@x402/express` 2.3 and 2.27.
 */
const CODES: Readonly<Record<Exclude<Whose, "order">, ReadonlyArray<string>>> = {
  wallet: [
    "insufficient_funds",
    "invalid_exact_evm_insufficient_balance",
    "invalid_exact_evm_signature",
    "invalid_exact_evm_payload_signature",
    "invalid_exact_evm_failed_to_parse_signature",
    "invalid_exact_evm_payload_undeployed_smart_wallet",
    "eip6492_factory_not_allowed"
  ],
  ours: [
    // The window that was signed, by the facilitator's clock.
    "invalid_exact_evm_payload_authorization_valid_after",
    "invalid_exact_evm_payload_authorization_valid_before",
    "payment_expired",
    // The form of the payment, and what it says of itself.
    "invalid_payload",
    "invalid_payment",
    "invalid_payment_requirements",
    "invalid_x402_version",
    "invalid_network",
    "invalid_scheme",
    "network_mismatch",
    "missing_eip712_domain",
    "unsupported_scheme",
    "unsupported_payload_type",
    "unsupported_payment_flow",
    "unsupported_asset_transfer_method",
    "extension_echo_mismatch",
    "payment_required",
    "asset_not_deployed_contract",
    "invalid_exact_evm_authorization_value",
    "invalid_exact_evm_payload_authorization_value",
    "invalid_exact_evm_payload_authorization_value_mismatch",
    "invalid_exact_evm_payload_recipient_mismatch",
    "invalid_exact_evm_recipient_mismatch",
    "invalid_exact_evm_network_mismatch",
    "invalid_exact_evm_scheme",
    "invalid_exact_evm_missing_eip712_domain",
    "invalid_exact_evm_eip3009_not_supported",
    "invalid_exact_evm_token_name_mismatch",
    "invalid_exact_evm_token_version_mismatch"
  ],
  environment: [
    "settlement_pending",
    "pending_mismatch",
    "duplicate_settlement",
    "settle_failed",
    "unknown_settlement_error",
    "transaction_failed",
    "invalid_transaction_state",
    "invalid_exact_evm_nonce_already_used",
    "invalid_exact_evm_transaction_failed",
    "invalid_exact_evm_transaction_simulation_failed",
    "invalid_exact_evm_transfer_event_mismatch",
    "smart_wallet_deployment_failed",
    "unexpected_verify_error",
    "unexpected_settle_error",
    "before_verify_hook_error",
    "before_settle_hook_error",
    "after_verify_aborted",
    "handler_threw",
    "handler_failed",
    "cap_exceeded",
    "missing_scheme",
    "missing_facilitator"
  ]
}

const whoseCode: ReadonlyMap<string, Whose> = new Map(
  (Object.keys(CODES) as ReadonlyArray<keyof typeof CODES>).flatMap((whose) =>
    CODES[whose].map((code) => [code, whose] as const)
  )
)

/** Texts of errors that were thrown on the way to the chain: they say nothing about the payment, even where they quote it. */
const THROWN = [
  "pending|duplicate|already[ _-]?(been[ _-])?(used|paid|settled|spent|processed|known|minted)|nonce[ _](was )?(re)?used",
  "settle(ment)?[ _-](failed|error)|failed to settle|transaction (failed|reverted)|execution reverted",
  "failed to (verify|get|fetch|construct)[^:]*: (\\d{3}\\b|\\w+ -)|(verify|settle|getsupported) failed \\(",
  "facilitator|internal (payment )?(server )?error|service unavailable|bad gateway|maintenance",
  "unexpected (token|end of|non-whitespace)|(is not valid|invalid) json|invalid data",
  "timed?[ _-]?out|timeout|fetch failed|network error|socket|abort|econn|eai_again|enotfound|epipe|certificate",
  "rate.?limit|too many requests|quota|throttl|try again|temporar",
  "^an error without words$",
  "unauthori[sz]ed|unauthenticated|api[ _-]?key|secret[ _-]?key|access token|authentication token"
]

/** Texts without a code, of `x402-express`, `@x402/hono`, `mppx` 0.11, `thirdweb` 5.121, and of people. */
const PROSE: ReadonlyArray<readonly [whose: Whose, texts: ReadonlyArray<string>]> = [
  ["environment", ["^(payment )?(verification|settlement) (failed|error)\\.?$", "^unknown( error| reason)?\\.?$"]],
  [
    "wallet",
    [
      "insufficient (usdc )?(funds|balance)|exceeds (the )?balance|balance (is )?too low",
      "invalid signature|signature (is )?(invalid|mismatch)|signer mismatch|blacklisted|sanctioned"
    ]
  ],
  ["order", ["sold[ _-]?out|(remaining|max(imum)?) supply|not for sale|no such token|unknown token"]],
  [
    "ours",
    [
      "authorization (has expired|is not valid yet)|payment (has )?expired",
      "header is required|^payment (is )?required\\.?$|invalid payment|malformed",
      "matching payment requirements|does not match|do not match|(do(es)? not|cannot) bind|mismatch|not supported|only supports|do(es)? not support"
    ]
  ]
]

/** Schemes and chains that are not paid here: a server that names one of their codes was sent what it did not ask for. */
const OTHER_SCHEMES = /^(invalid_)?(permit2|eip2612|erc20_approval|upto|batch_settlement|exact_svm|settle_exact_svm)_/
const NEVER_SENT = /_(simulation_failed|transaction_failed|rpc_read_failed|unavailable|busy|timed_out|height_exceeded)$/

const matches = (texts: ReadonlyArray<string>, words: string): boolean => new RegExp(texts.join("|"), "i").test(words)

const whoseWord = (word: string): Whose | undefined =>
  whoseCode.get(word) ??
  (OTHER_SCHEMES.test(word) ? (NEVER_SENT.test(word) ? ("environment" as const) : ("ours" as const)) : undefined)

/**
 * Whose fault a refusal with these words is; `undefined` where the words are not known here. Unknown words never count
 * against an order.
 */
export const whoseIs = (words: string): Whose | undefined => {
  if (matches(THROWN, words)) return "environment"
  const codes = words.toLowerCase().match(/[a-z0-9]+(_[a-z0-9]+)+/g) ?? []
  const known = codes.map(whoseWord).find((whose) => whose !== undefined)
  return known ?? PROSE.find(([, texts]) => matches(texts, words))?.[0]
}
