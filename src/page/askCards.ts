import type { KeyList } from "../operator/reports/keys.ts"
import type { DeliveryList, WebhookList } from "../operator/reports/webhooks.ts"
import { ApiProblem, getJson } from "./api.ts"
import type { Card, Cards, DeliveryJson, KeyJson, Webhooks } from "./cards.ts"
import type { Store } from "./state.ts"
import { throttled } from "./throttle.ts"

/** As often as ages and readiness are asked for. */
const REGULARLY_MS = 15_000
const GAP_MS = 1000

const readKeys = async (): Promise<ReadonlyArray<KeyJson>> => (await getJson<typeof KeyList.Encoded>("/api/keys")).keys

const deliveries = async (state: string): Promise<ReadonlyArray<DeliveryJson>> =>
  (await getJson<typeof DeliveryList.Encoded>(`/api/webhooks/deliveries?state=${state}`)).deliveries

const readWebhooks = async (): Promise<Webhooks> => {
  const { webhooks } = await getJson<typeof WebhookList.Encoded>("/api/webhooks")
  const [waiting, givenUp] = await Promise.all([
    webhooks.some((webhook) => webhook.waiting > 0) ? deliveries("waiting") : [],
    webhooks.some((webhook) => webhook.givenUp > 0) ? deliveries("given_up") : []
  ])
  const failures = [...waiting.filter(({ lastError }) => lastError !== null), ...givenUp]
  return { webhooks, failures: failures.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1)) }
}

const READERS: { readonly [Name in keyof Cards]: () => Promise<NonNullable<Cards[Name]["value"]>> } = {
  keys: readKeys,
  webhooks: readWebhooks
}

const isWanted = (store: Store, name: keyof Cards): boolean => {
  const { access, overview, cards } = store.get()
  return access.kind === "open" && overview !== undefined && cards[name].refused === undefined
}

const work = (store: Store, name: keyof Cards) => async (): Promise<void> => {
  if (!isWanted(store, name)) return
  const update = (change: (before: Card<unknown>) => Card<unknown>): void =>
    store.update((state) => ({ ...state, cards: { ...state.cards, [name]: change(state.cards[name]) } }))
  await READERS[name]().then(
    (value) => update(() => ({ value })),
    (error: unknown) => {
      const { status, message } = error instanceof ApiProblem ? error : new ApiProblem(0, String(error))
      // Without a token the overview is not answered either, which asks for it.
      if (status === 401) return
      update((before) => (status === 403 ? { refused: message } : { ...before, problem: message }))
    }
  )
}

/** Keeps up to date what a key may not be allowed to see: each part for itself, and no part after it was refused. */
export const startCards = (store: Store): (() => void) => {
  const works = (Object.keys(READERS) as ReadonlyArray<keyof Cards>).map((name) => throttled(work(store, name), GAP_MS))
  const refresh = (): void => works.forEach((ask) => ask())
  setInterval(() => {
    if (document.visibilityState === "visible") refresh()
  }, REGULARLY_MS)
  return refresh
}
