import { byId } from "./dom.ts"
import { hashOfTask, isTaskName } from "./state.ts"

const field = byId("named") as HTMLInputElement

/** Whether the reader is writing already, and means a slash by a slash. */
const isWriting = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches("input, textarea")

/** The box that opens an order by its id. `/` leads to it from anywhere. */
export const startFinding = (): void => {
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault()
    const named = field.value.trim().toLowerCase()
    const isName = isTaskName(named)
    byId("find-problem").textContent = isName ? "" : "An id, or the first 8 digits of one."
    field.setAttribute("aria-invalid", String(!isName))
    if (isName) location.hash = hashOfTask(named)
  })
  field.addEventListener("input", () => {
    byId("find-problem").textContent = ""
    field.removeAttribute("aria-invalid")
  })
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || isWriting(event.target) || document.querySelector("dialog[open]") !== null) return
    event.preventDefault()
    field.focus()
  })
}
