import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import { local } from "../../src/config/Network.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { roleKeys, roles } from "../../src/sandbox/DevChain.ts"
import {
  act,
  addressOf,
  authorizationOf,
  Chain,
  clientOf,
  pay,
  person,
  services,
  submit,
  transferData,
  USDC,
  walletOf
} from "./anvilChain.ts"
import { bytes32 } from "./fakeChain.ts"
import { effects } from "../support/stories.ts"

const STRANGER = addressOf(person(77))

/** A wallet with 9 USDC. */
const funded = Effect.fnUntraced(function* (number: number) {
  const wallet = walletOf(number)
  yield* pay(wallet.agentAddress, 9_000_000n)
  return wallet
})

const upToNow = Effect.gen(function* () {
  const { number } = yield* (yield* ChainClient).confirmedBlock
  return { fromBlock: 0n, toBlock: number }
})

layer(services, { timeout: "30 seconds", excludeTestServices: true })("on a real chain with Circle's USDC", (it) => {
  const test = effects(it)

  describe("what left a wallet", () => {
    test("is told with the nonce that it was paid with, and without one where it was sent otherwise", function* () {
      const wallet = yield* funded(3)
      const chain = yield* Chain
      const other = walletOf(4)
      const paid = yield* submit(wallet, authorizationOf(wallet, STRANGER, 2_000_000n, 31))
      yield* chain.ask("give gas", (client) => client.setBalance({ address: wallet.agentAddress, value: 10n ** 18n }))
      const sent = yield* act(person(3), USDC, transferData(STRANGER, 1_000_000n))
      const query = { wallets: [wallet.agentAddress, other.agentAddress], ...(yield* upToNow) }
      const spending = yield* (yield* ChainClient).findSpending(query)
      assert.deepStrictEqual(
        spending.map(({ to, amount, tx, nonce }) => ({ to, amount, tx, nonce })),
        [
          { to: STRANGER, amount: usdc(2_000_000n), tx: paid.tx, nonce: bytes32(31) },
          { to: STRANGER, amount: usdc(1_000_000n), tx: sent.tx, nonce: undefined }
        ]
      )
    })
  })

  describe("the gas account", () => {
    const withGas = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(Chain, ({ rpcUrl }) => Effect.provide(effect, clientOf(local, [rpcUrl], roleKeys.mintServer)))

    it.effect("takes a signed transfer to the chain, and pays for it", () =>
      Effect.gen(function* () {
        const wallet = yield* funded(5)
        const authorization = authorizationOf(wallet, STRANGER, 4_000_000n, 51)
        const payment = { ...authorization, signature: yield* (yield* KeyCustody).sign(wallet, authorization) }
        const client = yield* ChainClient
        assert.strictEqual(client.gasAccount, addressOf(roles.mintServer))
        const before = yield* client.gasBalance
        yield* client.sendTransfer(payment)
        yield* (yield* Chain).mine(2)
        assert.isTrue((yield* client.gasBalance) < before)
        const { outcomes } = yield* client.readAuthorizations([
          { payer: wallet.agentAddress, nonce: authorization.nonce, fromBlock: 0n }
        ])
        assert.deepInclude(outcomes[0], { _tag: "Used", to: STRANGER, value: usdc(4_000_000n) })
        const again = yield* Effect.flip(client.sendTransfer(payment))
        assert.strictEqual(again.reason, "Reverted", "the contract takes a nonce once")
      }).pipe(withGas)
    )

    test("is nobody without AI_AGENT_PRIVATE_KEY", function* () {
      const client = yield* ChainClient
      assert.isUndefined(client.gasAccount)
      const payment = { ...authorizationOf(walletOf(6), STRANGER, 1n, 61), signature: "0x" } as const
      const { message } = yield* Effect.flip(client.sendTransfer(payment))
      assert.include(message, "AI_AGENT_PRIVATE_KEY is not set")
    })
  })
})
