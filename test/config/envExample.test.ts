import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem } from "effect"
import { load, network } from "../../src/config/load.ts"
import { networks } from "../../src/config/Network.ts"
import { disk, loadFrom, onBase } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** The settings in `.env.example`, which are all commented out, with their defaults. */
const examples = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const content = yield* files.readFileString(".env.example")
  return [...content.matchAll(/^(#?) ?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, mark, key = "", value = ""]) => ({
    mark,
    key,
    value
  }))
}).pipe(Effect.provide(NodeFileSystem.layer))

/** Every key that is asked for on any network. */
const keysThatAreRead = Effect.gen(function* () {
  const keys = new Set<string>()
  for (const name of Object.keys(networks)) {
    const provider = ConfigProvider.make((path) => {
      keys.add(path.join("."))
      const node = path[0] === "NETWORK" ? ConfigProvider.makeValue(name) : undefined
      return Effect.succeed(node)
    })
    yield* load({ terminal: false }).pipe(
      Effect.provide(network),
      Effect.ignore,
      Effect.provideService(ConfigProvider.ConfigProvider, provider),
      Effect.provide(disk())
    )
  }
  return keys
})

describe(".env.example", () => {
  test("lists exactly the keys that are read, each once", function* () {
    const listed = (yield* examples).map(({ key }) => key)
    assert.deepStrictEqual(listed.toSorted(), [...(yield* keysThatAreRead)].toSorted())
  })

  test("sets nothing, so that a copy of it changes nothing", function* () {
    assert.deepStrictEqual(
      (yield* examples).filter(({ mark }) => mark !== "#"),
      []
    )
  })

  test("states the defaults as they are", function* () {
    const stated = Object.fromEntries((yield* examples).map(({ key, value }) => [key, value]))
    const { NETWORK, SERVER_URL, ...common } = stated
    assert.deepStrictEqual(yield* loadFrom({ ...common, NETWORK: NETWORK ?? "" }), yield* loadFrom({}))
    for (const network of ["base", "base-sepolia"]) {
      const needed = { ...onBase, NETWORK: network }
      const spelt = { ...common, SERVER_URL: SERVER_URL ?? "", ...needed }
      assert.deepStrictEqual(yield* loadFrom(spelt), yield* loadFrom(needed))
    }
  })
})
