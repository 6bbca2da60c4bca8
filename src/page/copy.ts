const SAID_MS = 1500

/** The clipboard of browsers is for secure contexts; an executor on another host of the network has no certificate. */
const copyBySelection = (text: string, near: Element): void => {
  const area = document.createElement("textarea")
  area.value = text
  area.className = "unseen"
  near.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

const copy = async (button: HTMLElement): Promise<void> => {
  const text = button.dataset["copy"] ?? ""
  await (navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"))).catch(() =>
    copyBySelection(text, button.parentElement ?? document.body)
  )
  button.focus()
  button.setAttribute("data-copied", "")
  setTimeout(() => button.removeAttribute("data-copied"), SAID_MS)
}

/** Has every `data-copy` button put its text on the clipboard, and `announce` say so. */
export const startCopying = (announce: (text: string) => void): void =>
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null
    if (button === null) return
    void copy(button).then(() => announce("Copied"))
  })
