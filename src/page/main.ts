import { startBrowsing } from "./browse.ts"
import { startCopying } from "./copy.ts"
import { startDialog, startSearch } from "./dialog.ts"
import { byId } from "./dom.ts"
import { startTokenForm } from "./tokenForm.ts"
import { startLive } from "./live.ts"
import { FILTERS, makeStore } from "./state.ts"
import { startTheme } from "./theme.ts"
import { render } from "./view.ts"

/** Ages grow between two overviews. */
const TICK_MS = 1000

const announce = (text: string): void => {
  byId("announcer").textContent = text
}

const store = makeStore(render)
const live = startLive(store, announce)

startTheme(byId("theme"))
startCopying(announce)
startSearch()
startTokenForm(store, live.refresh)
startDialog(store, live.refreshOrder)
startBrowsing(store, live.refreshListing)

byId("filters").addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest<HTMLElement>("[data-filter]") : null
  const filter = FILTERS.find((one) => one === button?.dataset["filter"])
  if (filter !== undefined) store.update((state) => ({ ...state, filter }))
})

setInterval(() => {
  if (document.visibilityState === "visible") store.update((state) => state)
}, TICK_MS)

// Timers of a tab in the background hardly run: what it shows may be old when it becomes visible.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") live.refresh()
})
