import { token } from "./api.ts"
import { byId } from "./dom.ts"
import type { Access, Store } from "./state.ts"

const field = byId("token") as HTMLInputElement

/** Stands in place of everything else as long as the reader has no access. */
export const showTokenForm = (access: Access): void => {
  const wasHidden = byId("access").hidden
  byId("access").hidden = access.kind === "open"
  byId("main").hidden = access.kind !== "open"
  byId("find").hidden = access.kind !== "open"
  byId("access-fields").hidden = access.kind === "closed"
  byId("access-text").hidden = access.kind === "closed"
  byId("access-title").textContent =
    access.kind === "closed" ? "The executor allows no access" : "The executor asks for its token"
  byId("access-problem").textContent =
    access.kind === "closed"
      ? access.detail
      : access.kind === "token" && access.wasWrong
        ? (access.lacks ?? "This token is not the right one.")
        : ""
  field.setAttribute("aria-invalid", String(access.kind === "token" && access.wasWrong))
  if (access.kind === "token" && wasHidden) field.focus()
}

/** What a header can carry. */
const isToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)

export const startTokenForm = (store: Store, refresh: () => void): void =>
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault()
    const typed = field.value.trim()
    field.value = ""
    field.focus()
    if (!isToken(typed)) {
      store.update((state) => ({ ...state, access: { kind: "token", wasWrong: true } }))
      return
    }
    token.keep(typed)
    refresh()
  })
