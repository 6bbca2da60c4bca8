import { startCopying } from "./copy.ts"
import { startDialog } from "./dialog.ts"
import { byId } from "./dom.ts"
import { startFinding } from "./find.ts"
import { startGate } from "./gate.ts"
import { startLive } from "./live.ts"
import { FILTERS } from "./state.ts"
import { makeStore } from "./store.ts"
import { startTheme } from "./theme.ts"
import { render } from "./view.ts"

/** Ages go on between two overviews. */
const TICK_MS = 1000

const announce = (text: string): void => {
  byId("announcer").textContent = text
}

const store = makeStore(render)
const live = startLive(store, announce)

startTheme(byId("theme"))
startCopying(announce)
startFinding()
startGate(store, live.refresh)
startDialog(store, live.look)

byId("filters").addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest<HTMLElement>("[data-filter]") : null
  const filter = FILTERS.find((one) => one === button?.dataset["filter"])
  if (filter !== undefined) store.update((state) => ({ ...state, filter }))
})

setInterval(() => {
  if (document.visibilityState === "visible") store.update((state) => state)
}, TICK_MS)

// Timers of a tab in the background hardly run: what it shows may be old when it is looked at.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") live.refresh()
})
