import { ChainError } from "../chain/ChainClient.ts"
import { LedgerError } from "../ledger/TaskRepo.ts"

/**
 * What an operator does about an error of the database, by SQLSTATE or by the system's name of a network error. Source: PostgreSQL, appendix "Error Codes"; Node.js, "Common system errors".
 */
const ADVICE: ReadonlyArray<readonly [code: RegExp, advice: string]> = [
  [/^28P01$/, "The database refuses the password of DATABASE_URL: correct it there, or set it anew in the database."],
  [/^28/, "The database does not let the user of DATABASE_URL in: correct the user, or allow it in pg_hba.conf."],
  [
    /^3D000$/,
    "The database that DATABASE_URL names does not exist: create it, or correct the name behind the last slash."
  ],
  [
    /^42501$/,
    "The user of DATABASE_URL lacks a right: let the owner of the tables run ai-mint migrate once, and grant it."
  ],
  [/^53300$/, "The database has no connection to spare: raise max_connections there, or close what else is connected."],
  [/^53100$/, "The disk of the database is full: make room there."],
  [/^25006$/, "The database takes no writes: lead DATABASE_URL to the primary, or make this one writable again."],
  [/^57P/, "The database is starting up or shutting down: start again when it is up."],
  [/^ECONNREFUSED$/, "No database listens where DATABASE_URL leads: start it, or correct host and port."],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "The host of DATABASE_URL is not known here: correct it, or repair the name service."],
  [/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/, "No way leads to the host of DATABASE_URL: look at network and firewall."],
  [
    /^(ECONNRESET|EPIPE)$/,
    "The database hung up: look at its log, and whether sslmode in DATABASE_URL is what it wants."
  ],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_)/,
    "The certificate of the database cannot be verified: give it one that can be, or set DATABASE_SSL_VERIFY=false."
  ]
]

/** The client's error where something other than PostgreSQL answers, such as a web server. */
const NO_POSTGRES = "maxMessageSize"

/**
 * One sentence that begins with what is wrong and says what to do, from the detail of a `LedgerError` or of the
 * doctor; `undefined` where it names no known cause.
 */
export const databaseAdvice = (detail: string): string | undefined => {
  if (detail.includes(NO_POSTGRES))
    return "What answers where DATABASE_URL leads is no PostgreSQL: correct host and port."
  // The code comes behind the name of the error; a message may hold anything.
  const [, code = ""] = /^\w+ (\w+)/.exec(detail) ?? []
  return ADVICE.find(([pattern]) => pattern.test(code))?.[1]
}

/** The last line of a run that could not go on: first what is wrong and what to do, then the error itself. */
export const fatalMessage = (failure: { readonly message: string }): string => {
  const advice = adviceFor(failure)
  return advice === undefined
    ? `AI Mint Executor cannot go on: ${failure.message}`
    : `${advice} AI Mint Executor cannot go on (${failure.message})`
}

const adviceFor = (failure: unknown): string | undefined => {
  if (failure instanceof LedgerError) {
    return databaseAdvice(failure.detail) ?? "The database does not do what is needed: run ai-mint doctor."
  }
  if (failure instanceof ChainError && failure.reason === "Unavailable") {
    return "No node of the RPC URLs answers: put nodes there that do, or repair the way to them; ai-mint doctor asks each."
  }
  return undefined
}
