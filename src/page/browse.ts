import { byId } from "./dom.ts"
import { type Field, hashOfListing, isFieldValue, type Listing, listingOfHash, withFields } from "./listing.ts"
import type { Store } from "./state.ts"

const TYPED: ReadonlyArray<Field> = ["token", "user", "from", "to"]

const field = (name: Field): HTMLInputElement => byId(`listing-${name}`) as HTMLInputElement

const title = byId("h-listing")

/** Takes the reader to the list. */
export const showListing = (): void => {
  title.focus({ preventScroll: true })
  title.scrollIntoView()
}

const showFields = (listing: Listing): void => {
  for (const name of TYPED) {
    field(name).value = listing[name] ?? ""
    field(name).removeAttribute("aria-invalid")
  }
  byId("listing-problem").textContent = ""
}

/** What the reader typed; `undefined` where a field holds what it cannot. */
const readFields = (): Listing | undefined => {
  const wrong = TYPED.filter((name) => {
    const text = field(name).value.trim()
    const isWrong = text !== "" && !isFieldValue(name, text)
    field(name).setAttribute("aria-invalid", String(isWrong))
    return isWrong
  })
  byId("listing-problem").textContent = wrong.some((name) => name === "token" || name === "user")
    ? "An address is 0x and 40 hex digits."
    : wrong.length > 0
      ? "A day is like 2026-11-28."
      : ""
  return wrong.length > 0 ? undefined : Object.fromEntries(TYPED.map((name) => [name, field(name).value.trim()]))
}

const go = (listing: Listing): void => {
  // With an empty hash the browser would scroll to the top.
  location.hash = hashOfListing(listing) || "#closed="
}

/** The list of orders that the address names, and the fields that narrow it. */
export const startBrowsing = (store: Store, refresh: () => void): void => {
  const follow = (): void => {
    const listing = listingOfHash(location.hash)
    if (listing === undefined) return
    const before = store.get().listing
    showFields(listing)
    if (hashOfListing(before) === hashOfListing(listing)) return
    store.update((state) => ({ ...state, listing }))
    refresh()
    if (listing.find !== before.find || listing.after !== before.after) showListing()
  }
  addEventListener("hashchange", follow)

  const apply = (): void => {
    const typed = readFields()
    if (typed !== undefined) go(withFields(store.get().listing, typed))
  }
  byId("listing-form").addEventListener("submit", (event) => {
    event.preventDefault()
    apply()
  })
  byId("listing-form").addEventListener("change", apply)
  byId("listing-filters").addEventListener("click", ({ target }) => {
    const pill = target instanceof Element ? target.closest<HTMLElement>("[data-status]") : null
    if (pill !== null) go(withFields(store.get().listing, { status: pill.dataset["status"] ?? "" }))
  })
  byId("listing-clear").addEventListener("click", () => {
    const { find } = store.get().listing
    go(find === undefined ? {} : { find })
    showFields({})
  })
  follow()
}
