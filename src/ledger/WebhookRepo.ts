import { Context, type Effect, Schema } from "effect"
import { type Address, Uuid } from "../domain/Address.ts"
import type { DeliveryState, WebhookEvent } from "../domain/webhooks.ts"
import type { Decision } from "./DecisionRepo.ts"
import type { LedgerError } from "./TaskRepo.ts"

export const WebhookId = Uuid.pipe(Schema.brand("WebhookId"))
export type WebhookId = typeof WebhookId.Type

/** Names the message too: the same for all attempts. */
export const DeliveryId = Uuid.pipe(Schema.brand("DeliveryId"))
export type DeliveryId = typeof DeliveryId.Type

/** Endpoints at a time, at most: each may have several requests under way. */
export const WEBHOOKS_MAX = 50

/** So many of them with one key: a key leaves places to the others. */
export const WEBHOOKS_OF_KEY_MAX = 10

/** An endpoint: a URL that events are posted to. */
export interface Webhook {
  readonly id: WebhookId
  readonly url: string
  readonly events: ReadonlyArray<string>
  /** Only events of this person's orders are sent to it; `undefined`: those of all. */
  readonly user: Address | undefined
  readonly createdAtMs: number
  /** Until when the secret before the last rotation signs too. */
  readonly oldSecretUntilMs: number | undefined
  readonly ended: { readonly atMs: number; readonly reason: string } | undefined
  readonly waiting: number
  readonly givenUp: number
  /** When something was last delivered. */
  readonly deliveredAtMs: number | undefined
}

export interface NewWebhook extends Pick<Webhook, "id" | "url" | "user"> {
  readonly events: ReadonlyArray<WebhookEvent>
  readonly keyId: string | undefined
  readonly sealedSecret: string
}

/** Where messages are sent, and with what they are signed. */
export interface Endpoint extends Pick<Webhook, "id" | "url" | "events"> {
  readonly sealedSecret: string
  readonly oldSealedSecret: string | undefined
  readonly oldSecretUntilMs: number | undefined
}

/** One message to one endpoint. */
export interface Delivery {
  readonly id: DeliveryId
  readonly webhookId: WebhookId
  readonly type: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAtMs: number
  readonly lastStatus: number | undefined
  readonly lastError: string | undefined
  readonly createdAtMs: number
  readonly attemptedAtMs: number | undefined
  readonly deliveredAtMs: number | undefined
}

/** An attempt that this process is to make. */
export interface Attempt {
  readonly id: DeliveryId
  readonly webhookId: WebhookId
  readonly body: string
  /** Its number, over all attempts of the delivery: whose outcome it is. */
  readonly attempt: number
  /** Its number since the delivery was made or last asked for again, from 1 on. */
  readonly nth: number
}

/** What became of an attempt. */
export interface Outcome extends Pick<Attempt, "id" | "attempt"> {
  readonly state: DeliveryState
  readonly nextAtMs: number
  readonly status: number | undefined
  readonly error: string | undefined
}

export interface Backlog {
  readonly waiting: number
  /** Since when the oldest of them that is due has been due. */
  readonly dueSinceMs: number | undefined
}

/** Which endpoints a caller sees: those of one person, or all. */
export interface Whose {
  readonly user: Address | undefined
}

/** Endpoints and what is sent to them. Nothing about money depends on it. */
export class WebhookRepo extends Context.Service<
  WebhookRepo,
  {
    /** `false`: there are `WEBHOOKS_MAX` already, or `WEBHOOKS_OF_KEY_MAX` of its key. It gets the events that are written after this. */
    readonly add: (webhook: NewWebhook, decision: Decision, nowMs: number) => Effect.Effect<boolean, LedgerError>
    /** Newest first; those that have ended for thirty days at most. */
    readonly list: (whose: Whose, nowMs: number) => Effect.Effect<ReadonlyArray<Webhook>, LedgerError>
    /** The endpoints whose id begins so, two at most. */
    readonly find: (start: string, whose: Whose) => Effect.Effect<ReadonlyArray<WebhookId>, LedgerError>
    /** Nothing more is sent to it. `false`: it has ended already. */
    readonly end: (
      id: WebhookId,
      reason: string,
      decision: Decision | undefined,
      nowMs: number
    ) => Effect.Effect<boolean, LedgerError>
    /** From now on the new secret signs, and the one before it until then. `false`: it has ended. */
    readonly rotate: (
      id: WebhookId,
      secret: { readonly sealed: string; readonly oldUntilMs: number },
      decision: Decision,
      nowMs: number
    ) => Effect.Effect<boolean, LedgerError>
    /** Those to which something may be sent: not those of a key that opens nothing any more. */
    readonly endpoints: (nowMs: number) => Effect.Effect<ReadonlyArray<Endpoint>, LedgerError>
    /** Makes deliveries of events that no endpoint was given yet, of `limit` at most. Gives how many events there were. */
    readonly fanOut: (limit: number, nowMs: number) => Effect.Effect<number, LedgerError>
    /**
     * Takes deliveries that are due, for each endpoint as many as it has places. No other executor gets them before `leaseMs` have
     * passed: by then this process has died with them.
     */
    readonly claim: (
      places: ReadonlyArray<{ readonly id: WebhookId; readonly free: number }>,
      nowMs: number,
      leaseMs: number
    ) => Effect.Effect<ReadonlyArray<Attempt>, LedgerError>
    /** Writes what became of attempts; not of one that another attempt has followed, unless it was the one that arrived. */
    readonly settle: (outcomes: ReadonlyArray<Outcome>, nowMs: number) => Effect.Effect<void, LedgerError>
    /** Newest first. */
    readonly deliveries: (
      which: Whose & { readonly webhookId: WebhookId | undefined; readonly state: DeliveryState | undefined },
      limit: number
    ) => Effect.Effect<ReadonlyArray<Delivery>, LedgerError>
    /** The deliveries whose id begins so, two at most. */
    readonly findDeliveries: (start: string, whose: Whose) => Effect.Effect<ReadonlyArray<Delivery>, LedgerError>
    /** Sends it again now, delivered or not. `undefined`: its endpoint has ended. */
    readonly redeliver: (id: DeliveryId, nowMs: number) => Effect.Effect<Delivery | undefined, LedgerError>
    /** A delivery of a message of no event. `undefined`: the endpoint has ended. */
    readonly send: (
      id: WebhookId,
      message: { readonly type: string; readonly body: string },
      nowMs: number
    ) => Effect.Effect<Delivery | undefined, LedgerError>
    /**
     * Compares what needs attention with what is known to, and writes an event for each that began or ended. By one executor
     * at a time: `undefined` where another one is at it.
     */
    readonly trackAttention: (nowMs: number) => Effect.Effect<number | undefined, LedgerError>
    /** Ends the endpoints of keys that have ended, gives up what is too much for one, and forgets what is long over. */
    readonly tidy: (nowMs: number) => Effect.Effect<Backlog, LedgerError>
  }
>()("ai-mint-executor/ledger/WebhookRepo") {}
