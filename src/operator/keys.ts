import { Clock, Effect } from "effect"
import { parse } from "../domain/Address.ts"
import { endOfKey, type Key, KeyId, lifetimeMs } from "../domain/Key.ts"
import { SCOPES } from "../domain/Scope.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { CurrentCaller } from "./Caller.ts"
import { decide } from "./commit.ts"
import { digestOf, keyText, newSecret, SECRET_BYTES } from "./keyText.ts"
import { missing, refuse } from "./Operator.ts"
import type { KeyList, KeyMade, KeyReport, KeyRevoked } from "./reports/keys.ts"
import type { MaybeWhyBody, NewKey } from "./requests.ts"
import type { Services } from "./services.ts"

export const listKeys = Effect.fn("operator.listKeys")(function* ({ keys }: Services) {
  const nowMs = yield* Clock.currentTimeMillis
  return { keys: (yield* keys.list).map((key) => keyReport(key, nowMs)) } satisfies KeyList as KeyList
})

/** Makes a key. Its secret is in the answer and nowhere else. */
export const createKey = Effect.fn("operator.createKey")(function* (services: Services, wish: NewKey) {
  const { keys, random } = services
  const user = wish.user === undefined ? undefined : parse(wish.user)
  const secret = newSecret(yield* random.randomBytes(SECRET_BYTES))
  const createdAtMs = yield* Clock.currentTimeMillis
  const key: Key = {
    id: KeyId.make(yield* random.uuidV4()),
    name: wish.name,
    scopes: SCOPES.filter((scope) => wish.scopes.includes(scope)),
    user,
    createdAtMs,
    createdBy: (yield* CurrentCaller).words,
    expiresAtMs: wish.expires === undefined ? undefined : createdAtMs + lifetimeMs(wish.expires),
    revokedAtMs: undefined
  }
  const decision = {
    command: "keys create",
    said: `key ${key.name} may ${key.scopes.join(", ")}${user === undefined ? "" : ` for ${user}`}`,
    why: "asked for"
  }
  const isNew = yield* wasFirst(decide(decision, (made) => keys.create({ ...key, digest: digestOf(secret) }, made)))
  if (!isNew) return yield* refuse(`There is a key named ${key.name}: revoke it first, or give another name.`)
  return {
    command: "keys create",
    key: keyReport(key, createdAtMs),
    secret: keyText({ id: key.id, secret })
  } satisfies KeyMade as KeyMade
})

/** The key of an id or a name, one that is revoked too: what it ordered may still wait. */
export const findKey = Effect.fnUntraced(function* ({ keys }: Services, text: string) {
  const wanted = text.trim()
  const key = (yield* keys.list).find(({ id, name }) => name === wanted || id === wanted)
  return key ?? (yield* missing(`There is no key "${wanted}": see ai-mint keys list.`))
})

export const revokeKey = Effect.fn("operator.revokeKey")(function* (
  services: Services,
  name: string,
  { why = "asked for" }: MaybeWhyBody
) {
  const { keys } = services
  const key = yield* findKey(services, name)
  const decision = { command: "keys revoke", said: `key ${key.name} is revoked`, why }
  const did = yield* wasFirst(decide(decision, (made, nowMs) => keys.revoke(key.id, made, nowMs)))
  const nowMs = yield* Clock.currentTimeMillis
  const revoked = { ...key, revokedAtMs: key.revokedAtMs ?? nowMs }
  return { command: "keys revoke", key: keyReport(revoked, nowMs), did } satisfies KeyRevoked as KeyRevoked
})

const keyReport = (key: Key, nowMs: number): KeyReport => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  user: key.user,
  state: endOfKey(key, nowMs) ?? "active",
  createdAt: key.createdAtMs,
  createdBy: key.createdBy,
  expiresAt: key.expiresAtMs,
  revokedAt: key.revokedAtMs
})
