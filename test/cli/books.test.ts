import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { Verdict } from "../../src/proof/verify.ts"
import { typed } from "./fakes.ts"

const PERIOD = ["--from", "2026-01-01", "--to", "2026-02-01"]

const HEADER =
  "entry,time,block,transaction,log_index,kind,order,batch,refund,wallet,user,token,amount,amount_usdc,books,reserved,note"
const row = (kind: string, note = "") => `,2026-02-01T00:00:00.000Z,,,,${kind},,,,,,,,,1,0,${note}`
const DIFFERENCE = ",,,,,difference,,,,,,,,,,,the books differ"

/** `ai-mint export` where the executor answers with these rows, in parts of so many characters. */
const exported = (rows: ReadonlyArray<string>, chars = 7) => {
  const text = [HEADER, ...rows, ""].join("\r\n")
  const parts = Array.from({ length: Math.ceil(text.length / chars) }, (_, at) =>
    text.slice(at * chars, (at + 1) * chars)
  )
  const answer = () => Effect.succeed(Stream.fromIterable(parts).pipe(Stream.encodeText))
  return Effect.map(typed(["export", ...PERIOD], { "control.export": answer }), (ending) => ({
    ...ending,
    csv: ending.stdout.replaceAll("\n", "").replaceAll("\r", "\r\n"),
    text
  }))
}

layer(NodeServices.layer)("ai-mint export", (it) => {
  it.effect("hands the journal on as it is, and ends with 0 where it closes", () =>
    Effect.gen(function* () {
      const { code, stderr, csv, text, asked } = yield* exported([row("opening"), row("closing")])
      assert.deepStrictEqual([code, stderr, csv], [0, "", text])
      assert.deepStrictEqual(asked, [
        { about: "control.export", request: { query: { from: "2026-01-01", to: "2026-02-01" } } }
      ])
    })
  )

  it.effect("ends with 1 where something differs, or the end is missing, wherever the parts are cut", () =>
    Effect.gen(function* () {
      for (const chars of [1, 13, 10_000]) {
        const uneven = yield* exported([row("opening"), DIFFERENCE, row("closing")], chars)
        assert.strictEqual(uneven.code, 1)
        assert.match(uneven.stderr, /does not close/)
        const short = yield* exported([row("opening"), row("deposit")], chars)
        assert.strictEqual(short.code, 1)
        assert.match(short.stderr, /cut off/)
      }
      const quoted = yield* exported([row("deposit", '",,,,,difference,"'), row("closing")])
      assert.strictEqual(quoted.code, 0)
    })
  )

  it.effect("wants both ends of the period", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* typed(["export", "--from", "2026-01-01"])).code, 2)
      assert.strictEqual((yield* typed(["export", "--from", "yesterday", "--to", "2026-02-01"])).code, 2)
    })
  )
})

layer(NodeServices.layer)("ai-mint verify", (it) => {
  const verdict = (result: Verdict["result"]): Verdict => ({
    command: "verify",
    taskId: "abc",
    result,
    signer: undefined,
    checks: [{ what: "the deposits cover the order", result, ...(result === "holds" ? {} : { why: "so" }) }],
    notChecked: ["Whether the node tells the truth."]
  })

  it.effect.each([
    ["holds", 0, "✅ the deposits cover the order\n"],
    ["false", 1, "❌ the deposits cover the order: so\n"],
    ["unknown", 3, "⚠️ the deposits cover the order: so\n"]
  ] as const)("says of each check whether it is so, and ends by the worst: %s", ([result, code, line]) =>
    Effect.gen(function* () {
      const tools = { verifyProof: () => Effect.succeed(verdict(result)) }
      const ending = yield* typed(["verify", "proof.json", "--rpc", "http://127.0.0.1:1"], {}, tools)
      assert.strictEqual(ending.code, code)
      assert.include(ending.stdout, line)
      assert.include(ending.stdout, "Not checked, as no chain shows it:\n   Whether the node tells the truth.")
    })
  )

  it.effect("wants a node by its URL", () =>
    Effect.gen(function* () {
      for (const args of [[], ["--rpc", "node"], ["--rpc", "ftp://x"], ["--rpc", "http://x", "--signer", "0x1"]]) {
        assert.strictEqual((yield* typed(["verify", "proof.json", ...args])).code, 2)
      }
    })
  )
})
