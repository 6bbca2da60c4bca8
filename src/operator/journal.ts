import { DateTime, Effect, Option, Stream } from "effect"
import * as Csv from "effect/encoding/Csv"
import { format } from "../domain/Usdc.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import type { JournalEntry, Period } from "../ledger/WatchRepo.ts"
import { refuse } from "./Operator.ts"
import type { JournalQuery } from "./requests.ts"
import type { Services } from "./services.ts"

/** The columns of the journal, in this order. They are a contract: a new one comes last. */
export const COLUMNS = [
  "entry",
  "time",
  "block",
  "transaction",
  "log_index",
  "kind",
  "order",
  "batch",
  "refund",
  "wallet",
  "user",
  "token",
  "amount",
  "amount_usdc",
  "books",
  "reserved",
  "note"
] as const

type Row = Partial<Record<(typeof COLUMNS)[number], string>>

/** The kind of the last row: what comes without it is not whole. */
export const CLOSING = "closing"

/** The kind of a row that says what does not agree. */
export const DIFFERENCE = "difference"

/** Entries in memory at once. */
const PAGE = 1_000

/** So many wallets that differ are named. */
const GAPS_MAX = 100

/**
 * The journal of a period as CSV, page by page: an opening row, the entries, what does not agree, and a closing row. It
 * closes where opening and entries come to what the ledger sums up by itself, and where, wallet by wallet, all entries
 * ever come to the balance of its books, which `reconcile` compares with the chain.
 */
export const journal = Effect.fn("operator.journal")(function* (services: Services, query: JournalQuery) {
  const period = { fromMs: millisOf(query.from), toMs: millisOf(query.to) }
  if (period.fromMs >= period.toMs)
    return yield* refuse("The period is empty: its end must be later than its beginning.")
  const opening = yield* services.watch.journalSums(period.fromMs)
  return Stream.suspend(() => rowsOf(services, period, opening)).pipe(
    Stream.map(safe),
    Stream.pipeThroughChannel(Csv.encodeString({ columns: [...COLUMNS], headers: true })),
    // A page is written at once.
    Stream.mapArray(([first, ...others]) => [[first, ...others].join("")])
  )
})

/** Of a time that the definition of the question lets through. */
const millisOf = (moment: string): number => DateTime.toEpochMillis(DateTime.makeUnsafe(moment))

type Sums = Pick<JournalEntry, "books" | "reserved">

const rowsOf = ({ watch }: Services, period: Period, opening: Sums): Stream.Stream<Row, LedgerError> => {
  let sums = opening
  const entries = Stream.paginate(undefined as number | undefined, (after) =>
    Effect.map(watch.journalPage(period, { after, limit: PAGE }), (page) => {
      for (const { books, reserved } of page) {
        sums = { books: sums.books + books, reserved: sums.reserved + reserved }
      }
      const last = page.length < PAGE ? undefined : page.at(-1)?.id
      return [page.map(entryRow), Option.fromUndefinedOr(last)] as const
    })
  )
  const ending = Effect.gen(function* () {
    const closing = yield* watch.journalSums(period.toMs)
    const gaps = yield* watch.journalGaps(GAPS_MAX)
    return [
      ...(closing.books === sums.books && closing.reserved === sums.reserved ? [] : [differsBy(closing, sums)]),
      ...gaps.map(({ walletId, journal: entered, books }): Row => ({
        kind: DIFFERENCE,
        note: `the entries of wallet ${walletId} come to ${format(entered)} USDC and its books to ${format(books)}: ai-mint reconcile`
      })),
      sumRow(CLOSING, period.toMs, sums)
    ]
  })
  return Stream.make(sumRow("opening", period.fromMs, opening)).pipe(
    Stream.concat(entries),
    Stream.concat(Stream.fromIterableEffect(ending))
  )
}

const differsBy = (closing: Sums, sums: Sums): Row => ({
  kind: DIFFERENCE,
  note:
    `opening and entries come to ${format(sums.books)} USDC (${format(sums.reserved)} reserved), and the ledger has ` +
    `${format(closing.books)} (${format(closing.reserved)}): something was recorded meanwhile. Ask again`
})

const sumRow = (kind: string, atMs: number, { books, reserved }: Sums): Row => ({
  kind,
  time: timeOf(atMs),
  books: String(books),
  reserved: String(reserved)
})

const timeOf = (ms: number): string => DateTime.formatIso(DateTime.makeUnsafe(ms))

const entryRow = (entry: JournalEntry): Row => ({
  entry: String(entry.id),
  time: timeOf(entry.atMs),
  block: textOf(entry.block),
  transaction: textOf(entry.tx),
  log_index: textOf(entry.logIndex),
  kind: entry.kind,
  order: textOf(entry.taskId),
  batch: textOf(entry.batch),
  refund: textOf(entry.refundId),
  wallet: textOf(entry.agentAddress),
  user: textOf(entry.userAddress),
  token: textOf(entry.token),
  amount: String(entry.amount),
  amount_usdc: decimal(entry.amount),
  books: String(entry.books),
  reserved: String(entry.reserved)
})

const textOf = (value: string | number | bigint | undefined): string => (value === undefined ? "" : String(value))

/** All six decimals, so that a column has one form. */
const decimal = (amount: bigint): string => {
  const units = amount < 0n ? -amount : amount
  return `${amount < 0n ? "-" : ""}${units / 1_000_000n}.${String(units % 1_000_000n).padStart(6, "0")}`
}

/** Numbers that are made here may begin with a minus. */
const NUMBERS: ReadonlySet<string> = new Set(["amount", "amount_usdc", "books", "reserved"])

const STARTS_FORMULA = /^[\s]*[=+\-@|%]|^[\t\r\n]/

/**
 * A spreadsheet takes what begins with such a character for a formula, and would run it. Source: OWASP, "CSV Injection":
 * an apostrophe before it makes it text.
 */
export const harmless = (text: string): string => {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ")
  return STARTS_FORMULA.test(text) || STARTS_FORMULA.test(line) ? `'${line}` : line
}

const safe = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([name, text]) => [name, NUMBERS.has(name) ? text : harmless(text)]))
