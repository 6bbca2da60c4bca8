/** Which orders the reader looks at, beside the open ones: the address names them, so that they can be linked to. Pure. */
export type Listing = Readonly<Partial<Record<Field, string>>>

const ADDRESS = /^0x[0-9a-f]{40}$/i
const TRANSACTION = /^0x[0-9a-f]{64}$/i
const CLOSED = ["completed", "failed", "cancelled"] as const
const OPEN = ["pending_payment", "funded", "processing"] as const

/** What each field may hold. */
const FIELDS = {
  /** A person's address, an agent wallet's, or a transaction: orders of any status. */
  find: (text: string) => ADDRESS.test(text) || TRANSACTION.test(text),
  status: (text: string) => [...OPEN, ...CLOSED].some((status) => status === text),
  user: (text: string) => ADDRESS.test(text),
  token: (text: string) => ADDRESS.test(text),
  /** Days of the reader's calendar, the last one included. */
  from: (text: string) => isDay(text),
  to: (text: string) => isDay(text),
  /** Where the page begins: the `next` of the one before. */
  after: (text: string) => /^[\w.-]{1,80}$/.test(text)
}
export type Field = keyof typeof FIELDS

const fieldNames = Object.keys(FIELDS) as ReadonlyArray<Field>

const isDay = (text: string): boolean =>
  /^(?:19[7-9]\d|[2-9]\d{3})-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))

export const isFieldValue = (field: Field, text: string): boolean => FIELDS[field](text)

export const isTransaction = (text: string): boolean => TRANSACTION.test(text)

/** The fields that hold something. What none of them may hold is left out. */
export const listingOf = (valueOf: (field: Field) => string | null | undefined): Listing =>
  Object.fromEntries(
    fieldNames.flatMap((field) => {
      const value = (valueOf(field) ?? "").trim()
      return FIELDS[field](value) ? [[field, value]] : []
    })
  )

/** `undefined` where the address is of something else on the page. */
export const listingOfHash = (hash: string): Listing | undefined => {
  const text = hash.replace(/^#/, "")
  const fields = new URLSearchParams(text)
  if (fields.has("task") || (text !== "" && !text.includes("="))) return undefined
  return listingOf((field) => fields.get(field))
}

export const hashOfListing = (listing: Listing): string => {
  const text = new URLSearchParams(listing).toString()
  return text === "" ? "" : `#${text}`
}

/** The same list from its beginning, with these changes; `""` removes a field. */
export const withFields = (listing: Listing, change: Listing): Listing =>
  listingOf((field) => (field === "after" ? change.after : (change[field] ?? listing[field])))

/** The statuses that the reader can choose from. */
export const statusesOf = ({ find }: Listing): ReadonlyArray<string> =>
  find === undefined ? CLOSED : [...OPEN, ...CLOSED]

/** Orders on a page. */
export const LISTED_MAX = 25

/** The first moment of a day, or of the one after it, in the reader's zone. */
const startOf = (day: string, plusDays: number): string => {
  const date = new Date(`${day}T00:00:00`)
  date.setDate(date.getDate() + plusDays)
  return date.toISOString()
}

/** Where the executor has the orders of this page. */
export const pathOfListing = ({ find, status, user, token, from, to, after }: Listing): string => {
  const query = new URLSearchParams({ limit: String(LISTED_MAX) })
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) query.set(name, value)
  }
  add(isTransaction(find ?? "") ? "tx" : "wallet", find)
  add("status", status ?? (find === undefined ? CLOSED.join(",") : undefined))
  add("user", user)
  add("token", token)
  add("from", from && startOf(from, 0))
  add("to", to && startOf(to, 1))
  add("cursor", after)
  return `/api/tasks?${query}`
}
