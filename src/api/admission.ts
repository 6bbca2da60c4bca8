import { Clock, Context, Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import { createHash, timingSafeEqual } from "node:crypto"
import { Settings } from "../config/Settings.ts"
import { endOfKey } from "../domain/Key.ts"
import { KeyRepo, type StoredKey } from "../ledger/KeyRepo.ts"
import { type Caller, ROOT } from "../operator/Caller.ts"
import { isSecretOf, type KeyText, readKeyText } from "../operator/keyText.ts"
import * as Log from "../ops/Log.ts"
import { tokenRefused } from "../ops/metrics.ts"
import { Forbidden, TooMany, Unauthorized, Unavailable } from "./contract/problems.ts"
import { doorOf, isForeign, type Token, v1DoorOf } from "./doors.ts"
import { GUESSES_MAX, makeGuesses } from "./guesses.ts"
import { clientAddress } from "./rates.ts"

const CLOSED = new Forbidden({
  detail:
    "Page, API and commands are off: set OPS_TOKEN where the executor runs, restart it, and send the token as Bearer token."
})
const FOREIGN = new Forbidden({
  detail: "Without OPS_TOKEN this answers this machine alone, and no page of another site."
})
const WRONG = new Unauthorized({
  detail: "Send the token of OPS_TOKEN, or a key that was made with it: `Authorization: Bearer <token>`."
})
const GUESSING = new TooMany({
  detail: `${GUESSES_MAX} wrong tokens came from this address within a minute: no token of it is looked at until that minute is over. Keys are.`
})

const ENDED = {
  revoked: new Unauthorized({ detail: "This key is revoked: ask the operator for another one." }),
  expired: new Unauthorized({ detail: "This key has expired: ask the operator for another one." })
}

type NotAdmitted = Unauthorized | Forbidden | TooMany | Unavailable

/** Who comes in by a token or a key; without the name that they give themselves. */
type Admitted = Omit<Caller, "words"> & { readonly by: string }

/** Who may come in: one for all routes, so that a guess at one counts at every other. */
export class Admission extends Context.Service<
  Admission,
  {
    /** Who comes in with this; in words: `OPS_TOKEN from 10.0.0.7`, `key shop (1a2b3c4d) from 10.0.0.7`. */
    readonly admit: (
      routes: "ops" | "v1",
      given: string
    ) => Effect.Effect<Caller, NotAdmitted, HttpServerRequest.HttpServerRequest>
  }
>()("ai-mint-executor/api/admission/Admission") {
  static readonly layer = Layer.effect(
    Admission,
    Effect.gen(function* () {
      const settings = yield* Settings
      const doors = { ops: doorOf(settings), v1: v1DoorOf(settings) }
      const holderOf = yield* makeHolderOf
      const unlessGuessing = yield* makeUnlessGuessing
      const enter = Effect.fnUntraced(function* (routes: "ops" | "v1", given: string) {
        const door = doors[routes]
        if (door._tag === "Closed") return yield* CLOSED
        const key = readKeyText(given)
        if (key !== undefined) return yield* unlessGuessing(given, holderOf(key), { isGuessable: false })
        if (door._tag === "Token") {
          return yield* unlessGuessing(given, Effect.succeed(ownerOf(given, door.tokens)), { isGuessable: true })
        }
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return isForeign(headers) ? yield* FOREIGN : OPEN
      })
      return Admission.of({
        admit: Effect.fnUntraced(function* (routes, given) {
          const { by, ...caller } = yield* enter(routes, given)
          return {
            ...caller,
            words: `${by} from ${yield* clientAddress}${routes === "v1" ? ", by the routes of v1.1" : ""}`
          }
        })
      })
    })
  )
}

const OPEN: Admitted = { by: "no token", may: ROOT }

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Takes the same time for all texts: digests have one length. */
const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** Which of the tokens it is. All of them are compared, so that the time reveals nothing. */
const ownerOf = (given: string, tokens: ReadonlyArray<Token>): Admitted | undefined => {
  const compared = tokens.map((token) => ({ ...token, isSame: isSame(given, Redacted.value(token.value)) }))
  const match = compared.find((token) => token.isSame)
  return match && { by: match.key, may: match.may }
}

/** Who holds a key: asked of the ledger for every request, so that a key that is revoked opens nothing from then on. */
const makeHolderOf = Effect.map(KeyRepo, (keys) =>
  Effect.fnUntraced(function* ({ id, secret }: KeyText) {
    const stored = yield* Effect.catchTag(keys.find(id), "LedgerError", ({ message }) =>
      Effect.fail(new Unavailable({ detail: message }))
    )
    // An id that there is not takes as long as a wrong secret.
    if (!isSecretOf(stored?.digest ?? NO_DIGEST, secret) || stored === undefined) return undefined
    const end = endOfKey(stored, yield* Clock.currentTimeMillis)
    if (end === undefined) return heldBy(stored)
    yield* tokenRefused
    yield* Log.warnOnce(`key ${id}`, `⚠️ ${keyWords(stored)} is used and is ${end}: nothing was answered`)
    return yield* ENDED[end]
  })
)

const NO_DIGEST = "0".repeat(64)

const keyWords = ({ name, id }: StoredKey): string => `key ${name} (${id.slice(0, 8)})`

const heldBy = (key: StoredKey): Admitted => ({
  by: keyWords(key),
  may: new Set(key.scopes),
  keyId: key.id,
  user: key.user
})

/**
 * Refuses a wrong token or key; notes it in metrics and log, and looks at no further token of an address that guesses. A
 * key is looked at all the same: its 256 random bits are not to be guessed, and behind a proxy, where all have one address,
 * twenty wrong tokens of a stranger would shut out everyone who has a key.
 */
const makeUnlessGuessing = Effect.map(makeGuesses, (guesses) =>
  Effect.fnUntraced(function* <E>(
    given: string,
    match: Effect.Effect<Admitted | undefined, E>,
    { isGuessable }: { readonly isGuessable: boolean }
  ) {
    if (given === "") return yield* WRONG
    const who = yield* clientAddress
    const mayTry = yield* guesses.mayTry(who)
    const admitted = mayTry || !isGuessable ? yield* match : undefined
    if (admitted !== undefined) return admitted
    yield* tokenRefused
    if (!mayTry) return yield* GUESSING
    yield* Log.warnOnce(`token ${who}`, `⚠️ A wrong token came from ${who}: nothing was answered`)
    if (yield* guesses.wrong(who, given))
      yield* Log.errorOnce(
        `guess ${who}`,
        `🚨 ${GUESSES_MAX} wrong tokens came from ${who} within a minute: it may be guessing. No token of it is looked at until that minute is over, and keys alone are`
      )
    return yield* WRONG
  })
)
