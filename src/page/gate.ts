import { token } from "./api.ts"
import { byId } from "./dom.ts"
import type { Gate } from "./state.ts"
import type { Store } from "./store.ts"

const field = byId("token") as HTMLInputElement

/** What stands in place of everything else as long as the executor lets nobody in. */
export const showGate = (gate: Gate): void => {
  const wasHidden = byId("gate").hidden
  byId("gate").hidden = gate.kind === "open"
  byId("main").hidden = gate.kind !== "open"
  byId("find").hidden = gate.kind !== "open"
  byId("gate-fields").hidden = gate.kind === "closed"
  byId("gate-text").hidden = gate.kind === "closed"
  byId("gate-title").textContent =
    gate.kind === "closed" ? "The executor lets nobody in" : "The executor asks for its token"
  byId("gate-problem").textContent =
    gate.kind === "closed"
      ? gate.detail
      : gate.kind === "token" && gate.wasWrong
        ? "This token is not the right one."
        : ""
  field.setAttribute("aria-invalid", String(gate.kind === "token" && gate.wasWrong))
  if (gate.kind === "token" && wasHidden) field.focus()
}

/** What a header can carry. */
const isToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)

export const startGate = (store: Store, refresh: () => void): void =>
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault()
    const typed = field.value.trim()
    field.value = ""
    field.focus()
    if (!isToken(typed)) {
      store.update((state) => ({ ...state, gate: { kind: "token", wasWrong: true } }))
      return
    }
    token.keep(typed)
    refresh()
  })
