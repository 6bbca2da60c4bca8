import type { PaymentRequirements, SettleResponse } from "@x402/core/types"
import { Duration, Effect, Ref, Result } from "effect"
import type { Abi, Hex } from "viem"
import { encodeFunctionData } from "viem"
import { getCode, getTransactionReceipt, readContract } from "viem/actions"
import type { NetworkShape } from "../config/Network.ts"
import type { Settings } from "../config/Settings.ts"
import { address, type Bytes32 } from "../domain/Address.ts"
import { chainName } from "../domain/Offer.ts"
import { ChainError } from "./ChainClient.ts"
import type { Facilitator, PresentedPayment, Settlement, Verdict } from "./Facilitator.ts"
import { askFacilitator, type Message } from "./facilitatorServer.ts"
import type { Rpc } from "./rpc.ts"
import type { SendCall } from "./sender.ts"

interface Options {
  readonly rpc: Rpc
  readonly settings: Pick<Settings["Service"], "network" | "x402FacilitatorUrl">
  /** Sends by the AI Agent Account; `undefined` without its key. */
  readonly sendCall: SendCall | undefined
}

/** How long a settlement may take: ten blocks of Base. Whether it was made is then asked of the chain. */
const SETTLE_TIME_LIMIT = Duration.seconds(20)

/** Between two looks for the block of a transaction. */
const RECEIPT_EVERY = Duration.millis(500)

/**
 * The official facilitator of `@x402/evm`, on our nodes. The package is loaded by the first payment, as most executors
 * never see one and every start would pay for it.
 */
export const makeFacilitator = (options: Options): Facilitator["Service"] => {
  const { network, x402FacilitatorUrl } = options.settings
  const ask = x402FacilitatorUrl === undefined ? settleHere(options) : askFacilitator(x402FacilitatorUrl)
  const onceAtATime = makeOnceAtATime()
  return {
    canSettle: options.sendCall !== undefined || x402FacilitatorUrl !== undefined,
    verify: Effect.fn("Facilitator.verify")((payment) => verify(options, payment)),
    settle: Effect.fn("Facilitator.settle")((payment) =>
      ask(messageOf(network, payment)).pipe(
        Effect.map(settlementOf),
        Effect.catch((reason) => Effect.succeed(unknown(reason))),
        Effect.timeoutOrElse({
          duration: SETTLE_TIME_LIMIT,
          orElse: () => Effect.succeed(unknown(`no answer within ${Duration.format(SETTLE_TIME_LIMIT)}`))
        }),
        onceAtATime(payment)
      )
    )
  }
}

/** Of two requests with one payment the second must not submit it too: its transaction would revert, and cost gas. */
const makeOnceAtATime = () => {
  const underWay = Ref.makeUnsafe<ReadonlySet<string>>(new Set())
  return ({ from, nonce }: PresentedPayment) => {
    const key = `${from} ${nonce}`
    const begin = Ref.modify(underWay, (keys) => [!keys.has(key), new Set([...keys, key])])
    const end = Ref.update(underWay, (keys) => new Set([...keys].filter((other) => other !== key)))
    return (settling: Effect.Effect<Settlement>) =>
      Effect.acquireUseRelease(
        begin,
        (isFirst) => (isFirst ? settling : Effect.succeed(unknown("it is being settled"))),
        (isFirst) => (isFirst ? end : Effect.void)
      )
  }
}

const unknown = (reason: string): Settlement => ({ _tag: "Unknown", reason })

/** Only its form is checked: a facilitator that names another transaction misleads the payer about the receipt, and no order. */
const settlementOf = ({ success, transaction, errorReason }: SettleResponse): Settlement =>
  success && /^0x[0-9a-fA-F]{64}$/.test(transaction)
    ? { _tag: "Settled", tx: transaction.toLowerCase() as Bytes32 }
    : unknown(errorReason ?? "the facilitator names no transaction")

/** What was signed is what is asked for: that it is enough, the caller has checked. */
const messageOf = ({ chainId, usdc }: NetworkShape, { signature, ...signed }: PresentedPayment): Message => {
  const { from, to, value, validAfter, validBefore, nonce } = signed
  const requirements: PaymentRequirements = {
    scheme: "exact",
    network: chainName(chainId),
    asset: usdc.address,
    amount: String(value),
    payTo: to,
    maxTimeoutSeconds: 60,
    extra: { name: usdc.name, version: usdc.version }
  }
  const authorization = {
    from,
    to,
    value: String(value),
    validAfter: String(validAfter),
    validBefore: String(validBefore),
    nonce
  }
  return {
    requirements,
    payload: { x402Version: 2, accepted: requirements, payload: { signature, authorization } }
  }
}

const verify = Effect.fnUntraced(function* (options: Options, payment: PresentedPayment) {
  const { scheme, faults } = yield* makeScheme(options)
  const { payload, requirements } = messageOf(options.settings.network, payment)
  const judged = yield* promised("check a payment", () => scheme.verify(payload, requirements))
  // The package reports a node that does not answer as a wrong signature.
  const [fault] = yield* Ref.get(faults)
  if (fault !== undefined && !judged.isValid) return yield* fault
  const verdict: Verdict = judged.isValid
    ? { _tag: "Sound" }
    : { _tag: "Unsound", reason: judged.invalidReason ?? "invalid_payload" }
  return verdict
})

const settleHere = (options: Options) =>
  Effect.fnUntraced(
    function* ({ payload, requirements }: Message) {
      const { scheme } = yield* makeScheme(options)
      return yield* promised("settle a payment", () => scheme.settle(payload, requirements))
    },
    Effect.mapError(({ message }: ChainError) => message)
  )

const promised = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) => new ChainError({ reason: "Unreadable", operation, detail: wordsOf(error) })
  })

/** The first line: what follows it in errors of viem repeats the call, with the signature. */
const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]?.slice(0, 200) ?? ""

/** The scheme for one payment, and what its nodes failed to answer. */
const makeScheme = Effect.fnUntraced(function* ({ rpc, sendCall }: Options) {
  const { ExactEvmScheme } = yield* Effect.promise(() => import("@x402/evm/exact/facilitator"))
  const faults = yield* Ref.make<ReadonlyArray<ChainError>>([])
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  const asked = <A>(question: Effect.Effect<A, ChainError>): Promise<A> =>
    run(Effect.tapError(question, (error) => noteFault(faults, error)))
  const send = (to: string, data: Hex): Promise<Hex> =>
    sendCall === undefined
      ? Promise.reject(new Error("AI_AGENT_PRIVATE_KEY is not set"))
      : asked(sendCall("settle a payment", { to: address(to), data }, { gasMax: GAS_MAX }))
  const scheme = new ExactEvmScheme({
    getAddresses: () => [],
    // Of the package's schemes, only others call it.
    verifyTypedData: () => Promise.reject(new Error("not in use")),
    readContract: ({ address: to, abi, functionName, args = [] }) =>
      asked(
        rpc.ask("check a payment", (node) => readContract(node, { address: to, abi: abi as Abi, functionName, args }))
      ),
    getCode: ({ address: account }) =>
      asked(rpc.ask("read the code of a payer", (node) => getCode(node, { address: account }))),
    writeContract: ({ address: to, abi, functionName, args }) =>
      send(to, encodeFunctionData({ abi: abi as Abi, functionName, args })),
    sendTransaction: ({ to, data }) => send(to, data),
    waitForTransactionReceipt: ({ hash }) => asked(receiptOf(rpc, hash))
  })
  return { scheme, faults }
})

/**
 * A transfer with an ordinary signature costs some 100,000. A payer's own code runs at the expense of the AI Agent
 * Account: it must not cost what it likes.
 */
const GAS_MAX = 400_000n

/** What a contract refuses is an answer; so is code that returns nothing. */
const noteFault = (faults: Ref.Ref<ReadonlyArray<ChainError>>, error: ChainError) =>
  error.reason === "Reverted" || error.reason === "Unreadable"
    ? Effect.void
    : Ref.update(faults, (before) => [...before, error])

/** Waits for the block of a transaction. The time limit is the settlement's. */
const receiptOf = (rpc: Rpc, hash: Hex) =>
  Effect.gen(function* () {
    for (;;) {
      const found = yield* Effect.result(
        rpc.ask("wait for a settlement", (node) => getTransactionReceipt(node, { hash }))
      )
      if (Result.isSuccess(found)) return found.success
      if (found.failure.reason !== "Lagging") return yield* found.failure
      yield* Effect.sleep(RECEIPT_EVERY)
    }
  })
