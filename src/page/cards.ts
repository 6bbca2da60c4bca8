import type { KeyList } from "../operator/reports/keys.ts"
import type { DeliveryList, WebhookList } from "../operator/reports/webhooks.ts"

export type KeyJson = (typeof KeyList.Encoded)["keys"][number]
export type WebhookJson = (typeof WebhookList.Encoded)["webhooks"][number]
export type DeliveryJson = (typeof DeliveryList.Encoded)["deliveries"][number]

/** A part of the page that needs another permission than orders do. */
export interface Card<A> {
  readonly value?: A
  /** Why it is not shown to the key that the reader came with. */
  readonly refused?: string
  /** Why what is shown may be old, or is not there. */
  readonly problem?: string
}

export interface Webhooks {
  readonly webhooks: ReadonlyArray<WebhookJson>
  /** Messages that were tried and did not arrive, newest first. */
  readonly failures: ReadonlyArray<DeliveryJson>
}

export interface Cards {
  readonly keys: Card<ReadonlyArray<KeyJson>>
  readonly webhooks: Card<Webhooks>
}
