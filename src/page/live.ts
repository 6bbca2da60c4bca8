import type { EventJson, StatusJson } from "../operator/reports/status.ts"
import type { ExplanationJson, TaskListJson } from "../operator/reports/tasks.ts"
import { getJson, ApiProblem, token } from "./api.ts"
import { startCards } from "./askCards.ts"
import { hashOfListing, type Listing, pathOfListing } from "./listing.ts"
import { attentionNews } from "./parts/attention.ts"
import { listingNews } from "./parts/listing.ts"
import { type Listed, newAttention, type Opened, type Store, withEvent, withOverview, withProblem } from "./state.ts"
import { listen } from "./stream.ts"
import { throttled } from "./throttle.ts"

/** However fast events come, one request a second is enough. */
const GAP_MS = 1000

/** A page that the reader asks for comes at once. */
const LISTING_GAP_MS = 200

/** Of orders that are closed one after the other. */
const CHANGED_GAP_MS = 3000

/** Ages and readiness change without events. */
const REGULARLY_MS = 15_000

/** The executor answers all pages with one overview a second, and with sums of the last five: it is asked again then. */
const SETTLED_MS = [1200, 6000]

export interface Live {
  /** Asks for the overview, soon. */
  readonly refresh: () => void
  /** Asks for the open order, soon. */
  readonly refreshOrder: () => void
  /** Asks for the list of orders that the reader wants to see, soon. */
  readonly refreshListing: () => void
}

const asProblem = (error: unknown): ApiProblem =>
  error instanceof ApiProblem ? error : new ApiProblem(0, String(error))

/** Whether the event may change the explanation of this order: its own events, and those of its wallet's money. */
const concerns = (event: EventJson, { named, explanation }: Opened): boolean =>
  event.taskId === null
    ? explanation === undefined || event.walletId === explanation.task.agentWalletId
    : event.taskId === explanation?.task.id || event.taskId.startsWith(named)

const failed = (store: Store, { status, message }: ApiProblem): void => {
  const hadToken = token.read() !== null
  if (status === 401 || status === 403) token.forget()
  store.update((state) => withProblem(state, status, message, hadToken))
}

const explanationWork = (store: Store) => async (): Promise<void> => {
  const { opened, access, overview } = store.get()
  const named = opened?.named
  if (named === undefined || access.kind !== "open" || overview === undefined) return
  const updateOpened = (change: Partial<Opened>): void =>
    store.update((state) =>
      state.opened?.named === named ? { ...state, opened: { ...state.opened, problem: undefined, ...change } } : state
    )
  await getJson<ExplanationJson>(`/api/tasks/${encodeURIComponent(named)}/explain`).then(
    (explanation) => updateOpened({ explanation }),
    (error: unknown) => {
      const problem = asProblem(error)
      if (problem.status === 401 || problem.status === 403) return failed(store, problem)
      return updateOpened({ problem: problem.message })
    }
  )
}

/** Asks for the list; what has come of another one that was asked for in the meantime is dropped. */
const listingWork = (store: Store, announce: (text: string) => void) => {
  let saidOf = hashOfListing({})
  return async (): Promise<void> => {
    const { listing, access, overview } = store.get()
    if (access.kind !== "open" || overview === undefined) return
    const asked = hashOfListing(listing)
    const arrived = (listed: Listed): void => {
      if (hashOfListing(store.get().listing) !== asked) return
      store.update((state) => ({ ...state, listed }))
      if (asked !== saidOf) announce(listingNews(listing, listed))
      saidOf = asked
    }
    await getJson<TaskListJson>(pathOfListing(listing)).then(
      ({ tasks, next }) => arrived({ tasks, next, problem: undefined }),
      (error: unknown) => {
        const { status, message } = asProblem(error)
        if (status === 401) return failed(store, asProblem(error))
        return arrived({ tasks: [], next: null, problem: message })
      }
    )
  }
}

/** Whether the event may change the first page of the list. Later pages stay as they were read. */
const changesList = ({ kind }: EventJson, { find, after }: Listing): boolean =>
  after === undefined && (find === undefined ? /^task\.(?:completed|failed|cancelled)$/ : /^task\./).test(kind)

/** Keeps the store up to date: asks at every event, regularly, and again when the executor is back. */
export const startLive = (store: Store, announce: (text: string) => void): Live => {
  let isListening = false
  const refreshOrder = throttled(explanationWork(store), GAP_MS)

  const refreshListing = throttled(listingWork(store, announce), LISTING_GAP_MS)
  const refreshCards = startCards(store)
  const listChanged = throttled(async () => refreshListing(), CHANGED_GAP_MS)

  const arrived = (overview: StatusJson): void => {
    const before = store.get()
    const news = attentionNews(newAttention(before.overview, overview))
    if (news !== "") announce(news)
    store.update((state) => withOverview(state, overview, Date.now()))
    if (before.access.kind !== "open" || before.overview === undefined) {
      refreshOrder()
      refreshListing()
      refreshCards()
    }
    if (!isListening) follow()
  }
  const refresh = throttled(
    () => getJson<StatusJson>("/api/overview").then(arrived, (error: unknown) => failed(store, asProblem(error))),
    GAP_MS
  )
  let settling: ReadonlyArray<ReturnType<typeof setTimeout>> = []
  const settle = (): void => {
    for (const timer of settling) clearTimeout(timer)
    settling = SETTLED_MS.map((ms) => setTimeout(refresh, ms))
  }
  const setStreaming = (isStreaming: boolean): void => store.update((state) => ({ ...state, isStreaming }))

  const follow = (): void => {
    isListening = true
    listen({
      onOpen: () => {
        setStreaming(true)
        refresh()
        refreshOrder()
      },
      onLedger: (event) => {
        store.update((state) => withEvent(state, event))
        refresh()
        settle()
        const { opened } = store.get()
        if (opened !== undefined && concerns(event, opened)) refreshOrder()
        if (changesList(event, store.get().listing)) listChanged()
      },
      onLost: () => {
        setStreaming(false)
        refresh()
      },
      onRefused: (problem) => {
        isListening = false
        setStreaming(false)
        failed(store, problem)
      }
    })
  }
  setInterval(() => {
    // Without a token there is nothing to ask, and a wrong one is not tried again.
    if (store.get().access.kind === "token" && token.read() === null) return
    refresh()
    refreshOrder()
  }, REGULARLY_MS)
  refresh()
  return { refresh, refreshOrder, refreshListing }
}
