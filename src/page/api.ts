/** An answer that is not what was asked for: what RFC 9457 says of it, or that there was none (`status` 0). */
export class ApiProblem extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

const TOKEN = "ai-mint-token"

/** Kept as long as the tab is, and nowhere else. */
export const token = {
  read: (): string | null => sessionStorage.getItem(TOKEN),
  keep: (value: string): void => sessionStorage.setItem(TOKEN, value),
  forget: (): void => sessionStorage.removeItem(TOKEN)
}

/** Longer than the executor waits for a node that does not answer. */
const ANSWER_TIMEOUT_MS = 20_000

const problemOf = async (response: Response): Promise<ApiProblem> => {
  const body: unknown = await response.json().catch(() => undefined)
  const said = typeof body === "object" && body !== null ? (body as { detail?: unknown; title?: unknown }) : {}
  const text = said.detail ?? said.title
  return new ApiProblem(response.status, typeof text === "string" ? text : `The executor answered ${response.status}.`)
}

/** Asks the executor, with the token where there is one. Fails with a `Problem` and nothing else. */
export const request = async (path: string, init: RequestInit): Promise<Response> => {
  const headers = new Headers(init.headers)
  const kept = token.read()
  if (kept !== null) headers.set("authorization", `Bearer ${kept}`)
  const response = await fetch(path, { ...init, headers, cache: "no-store" }).catch(() => {
    throw new ApiProblem(0, "The executor does not answer.")
  })
  if (!response.ok) throw await problemOf(response)
  return response
}

/** `A` is what the contract says of this path. */
export const getJson = async <A>(path: string): Promise<A> => {
  const response = await request(path, {
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  })
  return (await response.json().catch(() => {
    throw new ApiProblem(0, "The answer of the executor broke off.")
  })) as A
}
