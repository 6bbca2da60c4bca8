/** The choice that the reader made, where it is not the system's. */
const KEPT = "ai-mint-theme"

const system = matchMedia("(prefers-color-scheme: dark)")

const isDark = (): boolean => (localStorage.getItem(KEPT) ?? (system.matches ? "dark" : "light")) === "dark"

const paint = (): void => {
  const choice = localStorage.getItem(KEPT)
  if (choice === null) document.documentElement.removeAttribute("data-theme")
  else document.documentElement.setAttribute("data-theme", choice)
}

// `index.html` loads this file before anything is drawn, so that nothing is drawn in the other theme first.
paint()

/** Light or dark as the system has it, until the reader wants the other one; and again when they no longer do. */
export const startTheme = (toggle: HTMLElement): void => {
  const tell = (): void => {
    paint()
    toggle.setAttribute("aria-pressed", String(isDark()))
  }
  tell()
  system.addEventListener("change", tell)
  toggle.addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark"
    if ((wanted === "dark") === system.matches) localStorage.removeItem(KEPT)
    else localStorage.setItem(KEPT, wanted)
    tell()
  })
}
