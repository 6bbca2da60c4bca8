import { Context, type Effect, type Redacted, Schema } from "effect"

/** A secret cannot be sealed or opened. The message says why, and holds nothing of it. */
export class SecretError extends Schema.TaggedError<SecretError>()("SecretError", { message: Schema.String }) {}

/** Seals secrets of ours that the database keeps, under `AGENT_ENCRYPTION_KEY`. */
export class SecretBox extends Context.Service<
  SecretBox,
  {
    /** `owner`: the row that it belongs to. Moved to another row it does not open. */
    readonly seal: (secret: Redacted.Redacted, owner: string) => Effect.Effect<string, SecretError>
    readonly open: (sealed: string, owner: string) => Effect.Effect<Redacted.Redacted, SecretError>
  }
>()("ai-mint-executor/chain/SecretBox") {}
