import { byId } from "./dom.ts"
import { type State, taskOfHash } from "./state.ts"
import type { Store } from "./store.ts"

const dialog = byId("explain") as HTMLDialogElement

/** Opens and closes the dialog as the state has it: not before it is known that the reader is let in. */
export const syncDialog = ({ opened, gate, overview }: State): void => {
  const isWanted = opened !== undefined && gate.kind === "open" && overview !== undefined
  if (isWanted === dialog.open) return
  if (!isWanted) return dialog.close()
  byId("explain-body").scrollTop = 0
  dialog.showModal()
}

/** The address names the order that is looked at: it can be linked to, and the browser's way back closes it. */
export const startDialog = (store: Store, look: () => void): void => {
  let cameFromPage = false

  const follow = (): void => {
    const named = taskOfHash(location.hash)
    store.update((state) => ({
      ...state,
      opened: named === undefined ? undefined : { named, explanation: undefined, problem: undefined }
    }))
    if (named !== undefined) look()
  }
  const leave = (): void => {
    if (store.get().gate.kind !== "open") return
    // The row that it was opened from may have been closed with its order.
    if (document.activeElement === document.body) byId("named").focus()
    if (taskOfHash(location.hash) === undefined) return
    if (cameFromPage) return history.back()
    history.replaceState(null, "", location.pathname)
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
