import { showListing } from "./browse.ts"
import { byId } from "./dom.ts"
import { hashOfListing, isFieldValue } from "./listing.ts"
import { hashOfTask, isTaskName, type State, type Store, taskOfHash } from "./state.ts"

const dialog = byId("explain") as HTMLDialogElement

/** Opens and closes the dialog as the state says, and only once the reader has access. */
export const syncDialog = ({ opened, access, overview }: State): void => {
  const isWanted = opened !== undefined && access.kind === "open" && overview !== undefined
  if (isWanted === dialog.open) return
  if (!isWanted) return dialog.close()
  byId("explain-body").scrollTop = 0
  dialog.showModal()
}

/** The address names the open order: it can be linked to, and the browser's back button closes it. */
export const startDialog = (store: Store, refreshOrder: () => void): void => {
  let cameFromPage = false

  const follow = (): void => {
    const named = taskOfHash(location.hash)
    store.update((state) => ({
      ...state,
      opened: named === undefined ? undefined : { named, explanation: undefined, problem: undefined }
    }))
    if (named !== undefined) refreshOrder()
  }
  const leave = (): void => {
    if (store.get().access.kind !== "open") return
    // The row that it was opened from may have been closed with its order.
    if (document.activeElement === document.body) byId("named").focus()
    if (taskOfHash(location.hash) === undefined) return
    if (cameFromPage) return history.back()
    history.replaceState(null, "", `${location.pathname}${hashOfListing(store.get().listing)}`)
    follow()
  }
  addEventListener("hashchange", ({ oldURL }) => {
    cameFromPage = taskOfHash(new URL(oldURL).hash) === undefined
    follow()
  })
  dialog.addEventListener("close", leave)
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close()
  })
  byId("explain-close").addEventListener("click", () => dialog.close())
  follow()
}

const searchField = byId("named") as HTMLInputElement

/** Whether the reader is typing in a field, where a slash is a character. */
const isWriting = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches("input, textarea")

/** The box that opens an order by its id, and lists those of an account or a transaction. `/` leads to it from anywhere. */
export const startSearch = (): void => {
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault()
    const named = searchField.value.trim().toLowerCase()
    const isName = isTaskName(named)
    const isKnown = isName || isFieldValue("find", named)
    byId("find-problem").textContent = isKnown
      ? ""
      : "An order's id or its first 8 digits, the address of a user or agent wallet, or a transaction's hash."
    searchField.setAttribute("aria-invalid", String(!isKnown))
    if (!isKnown) return
    const hash = isName ? hashOfTask(named) : hashOfListing({ find: named })
    // Searched for again, it is there already.
    if (location.hash === hash) showListing()
    location.hash = hash
  })
  searchField.addEventListener("input", () => {
    byId("find-problem").textContent = ""
    searchField.removeAttribute("aria-invalid")
  })
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || isWriting(event.target) || document.querySelector("dialog[open]") !== null) return
    event.preventDefault()
    searchField.focus()
  })
}
