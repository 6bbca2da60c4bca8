import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { findSandbox } from "../../src/sandbox/sandboxFile.ts"
import { aiMint } from "../cli/command.ts"
import { closedPort, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"

describe("a proof on the local network", () => {
  it.live(
    "is made of an order that was carried out, and checked where there is nothing but a node",
    () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryDirectory
        const env = { CHECK_INTERVAL: "500ms", MINT_INTERVAL: "500ms", OPS_PORT: String(yield* closedPort) }
        const executor = yield* startExecutor(cwd, env)
        const done = yield* executor.line("processing → completed")
        const task = /Task ([0-9a-f]{8})/.exec(done)?.[1] ?? ""
        const { rpcUrl } = yield* findSandbox(join(cwd, ".data"))
        const made = yield* aiMint(["prove", task], { cwd, env })
        assert.deepStrictEqual([made.code, made.stderr], [0, ""])

        const period = ["--from", "2020-01-01", "--to", "2100-01-01"]
        const journal = yield* aiMint(["export", ...period], { cwd, env })
        assert.deepStrictEqual([journal.code, journal.stderr], [0, ""])
        const lines = journal.stdout.split("\r\n")
        assert.match(lines[0] ?? "", /^entry,time,block,/)
        assert.match(
          journal.stdout,
          /,deposit,[^]*,reserved,[^]*,payment,[^]*\r\n,2100-01-01T00:00:00\.000Z,,,,closing,[^\n]*\r\n$/
        )

        const elsewhere = yield* temporaryDirectory
        const file = join(elsewhere, "proof.json")
        const verify = (text: string, ...more: ReadonlyArray<string>) => {
          writeFileSync(file, text)
          return aiMint(["verify", file, "--rpc", rpcUrl, ...more], { cwd: elsewhere, env: {} })
        }
        const { proof, signature } = JSON.parse(made.stdout)
        assert.strictEqual(proof.mints.length, 5)
        const sound = yield* verify(made.stdout, "--signer", signature.signer)
        assert.deepStrictEqual([sound.code, sound.stderr], [0, ""])
        assert.match(
          sound.stdout,
          /✅ deposit: 5\.00 USDC[^]*✅ payment of batch 1: 5\.00 USDC[^]*✅ mints of batch 1: 5 of/
        )
        assert.match(sound.stdout, /✅ All that a chain can show holds\n$/)

        // One digit of the money that the person paid.
        const forged = yield* verify(made.stdout.replace('"amount": "5000000"', '"amount": "6000000"'))
        assert.strictEqual(forged.code, 1)
        assert.match(forged.stdout, /❌ it is signed by[^]*❌ deposit: 6\.00 USDC/)
        const another = { ...proof, order: { ...proof.order, id: "8a6e0804-2bd0-4672-b79d-d97027f9071a" } }
        const claimed = yield* verify(JSON.stringify({ proof: another, signature: null }))
        assert.strictEqual(claimed.code, 1)
        assert.match(claimed.stdout, /❌ the nonces of 1 payment are this order's own/)
        const base = {
          ...proof,
          chainId: 8453,
          usdc: "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
          payments: [],
          mints: [],
          blocks: proof.blocks.filter(({ number }: { number: string }) => number === proof.deposits[0].block)
        }
        const elsewhereMade = { ...base, order: { ...proof.order, status: "funded", mintsCompleted: 0 } }
        const wrong = yield* verify(JSON.stringify({ proof: elsewhereMade, signature: null }))
        assert.strictEqual(wrong.code, 2)
        assert.match(wrong.stderr, /The proof is of chain 8453, and \S+ leads to chain 31337/)
        assert.strictEqual((yield* verify("{}")).code, 2)
        assert.strictEqual(
          (yield* aiMint(["verify", "none.json", "--rpc", rpcUrl], { cwd: elsewhere, env: {} })).code,
          2
        )
        assert.strictEqual((yield* aiMint(["verify", file], { cwd: elsewhere, env: {} })).code, 2)
        writeFileSync(file, made.stdout)
        const closed = `http://127.0.0.1:${yield* closedPort}`
        const silent = yield* aiMint(["verify", file, "--rpc", closed], { cwd: elsewhere, env: {} })
        assert.strictEqual(silent.code, 3)
        assert.match(silent.stdout, /⚠️ what is on chain: no node answers: 127\.0\.0\.1/)
        assert.strictEqual(readFileSync(file, "utf8"), made.stdout)
      }),
    TIMEOUT_MS
  )
})
