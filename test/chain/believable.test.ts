import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { numberToHex } from "viem"
import * as Clocks from "../../src/ops/Clocks.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { account, fakeChain, timeMs, transfer } from "./fakeChain.ts"
import { type Behaviour, fakeNodes, healthy } from "./fakeNodes.ts"

const [FIRST, SECOND] = ["https://first.example/", "https://second.example/"]
const YEAR_S = 365 * 24 * 3600

const alone = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  test.pipe(Effect.provide(Layer.merge(Clocks.layer, Incidents.layer)))

/** The clock of this machine agrees with the sound chain, or is so much off. */
const withClock = (offMs = 0) =>
  Effect.provideService(Clocks.SystemClock, () => timeMs(fakeChain(), fakeChain().head) + offMs)

describe("a block whose time is ahead of every clock", () => {
  const sound = fakeChain()
  const future = { ...sound, genesisTime: sound.genesisTime + 10 * YEAR_S }

  it.effect("is not believed: the next URL is, and its head where the first has one of its own", () =>
    Effect.gen(function* () {
      for (const head of [sound.head, sound.head + 1_000_000n]) {
        const nodes = fakeNodes({ [FIRST]: healthy({ ...future, head }), [SECOND]: healthy(sound) })
        const block = yield* nodes.run((client) => client.confirmedBlock)
        assert.deepStrictEqual(block, { number: sound.head - 1n, timeMs: timeMs(sound, sound.head - 1n) })
      }
      assert.deepStrictEqual(yield* Incidents.open, [])
    }).pipe(withClock(), alone)
  )

  it.effect("decides nothing where no URL has another, and the operator is told", () =>
    Effect.gen(function* () {
      const nodes = fakeNodes({ [FIRST]: healthy(future) })
      const error = yield* Effect.flip(nodes.run((client) => client.confirmedBlock))
      assert.include(error.message, "later than every clock that can be asked")
      const open = yield* Incidents.open
      assert.isTrue(open.some(({ stopsMoney }) => stopsMoney))
    }).pipe(withClock(), alone)
  )

  it.effect("is believed where only our own clock is behind, and the database's agrees with the chain", () =>
    Effect.gen(function* () {
      yield* Clocks.note(Clocks.DATABASE, timeMs(sound, sound.head))
      const nodes = fakeNodes({ [FIRST]: healthy(sound) })
      const { number } = yield* nodes.run((client) => client.confirmedBlock)
      assert.strictEqual(number, sound.head - 1n)
    }).pipe(withClock(-YEAR_S * 1000), alone)
  )

  it.effect("is believed where only our own clock is behind, and another node says as much", () =>
    Effect.gen(function* () {
      const nodes = fakeNodes({ [FIRST]: healthy(sound), [SECOND]: healthy(sound) })
      const { number } = yield* nodes.run((client) => client.confirmedBlock)
      assert.strictEqual(number, sound.head - 1n)
    }).pipe(withClock(-YEAR_S * 1000), alone)
  )

  it.effect("is not believed for a log either: the deposit is read from the next URL", () =>
    Effect.gen(function* () {
      const wallet = account(1)
      const chain = { ...sound, logs: [transfer({ from: account(2), to: wallet, value: 5n, block: 3n })] }
      const dated =
        (seconds: number): Behaviour =>
        async (request, signal) => {
          const answer = await healthy(chain)(request, signal)
          if (request.method !== "eth_getLogs" || !Array.isArray(answer)) return answer
          return answer.map((log: object) => ({ ...log, blockTimestamp: numberToHex(seconds) }))
        }
      const trueSeconds = timeMs(chain, 3n) / 1000
      const nodes = fakeNodes({ [FIRST]: dated(trueSeconds + 10 * YEAR_S), [SECOND]: dated(trueSeconds) })
      const found = yield* nodes.run((client) =>
        client.findDeposits({ wallets: [wallet], fromBlock: 0n, toBlock: chain.head - 1n })
      )
      assert.deepStrictEqual(
        found.map(({ block }) => block.timeMs),
        [timeMs(chain, 3n)]
      )
    }).pipe(withClock(), alone)
  )

  it.effect("is believed where it is ahead by less than two minutes", () =>
    Effect.gen(function* () {
      const nodes = fakeNodes({ [FIRST]: healthy({ ...sound, genesisTime: sound.genesisTime + 100 }) })
      assert.strictEqual((yield* nodes.run((client) => client.confirmedBlock)).number, sound.head - 1n)
    }).pipe(withClock(), alone)
  )
})
