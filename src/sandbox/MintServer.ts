import { Effect, FiberSet } from "effect"
import { bodyLimit } from "hono/body-limit"
import type { Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import type { UsdcContract } from "../config/Network.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import { usdc } from "../domain/Usdc.ts"
import * as DevChain from "./DevChain.ts"
import * as Faults from "./faults.ts"
import { listen } from "./listen.ts"
import { faultyAnswers } from "./mintAnswerFaults.ts"
import * as MintApp from "./mintApp.ts"
import * as MintChain from "./mintChain.ts"
import * as MintDesk from "./mintDesk.ts"
import * as MintFacilitator from "./mintFacilitator.ts"
import { faultyChain, faultyFacilitator } from "./mintFaults.ts"
import * as MintRecords from "./mintRecords.ts"

export interface MintServerOptions {
  readonly rpcUrl: string
  readonly chainId: number
  readonly usdc: UsdcContract
  /** What is sold, and for how many base units of USDC a mint. */
  readonly tokens: ReadonlyArray<{ readonly address: Address; readonly pricePerMint: bigint }>
  /** The account that settles payments and mints: it needs gas, must be the tokens' minter, and no other program may use it. */
  readonly gasKey: Hex
  /** Used where it is free, else any other. Default: 4021, the default of `SERVER_URL`. */
  readonly port?: number
  /** Holds what each payment was made for (`mintRecords.ts`). Belongs to this server and this chain. */
  readonly dataDir: string
  /** What goes wrong on request. Default: nothing. */
  readonly faults?: Faults.Faults
  /** Answers what is asked below `/sandbox`. */
  readonly sandbox?: (request: Request) => Promise<Response>
}

const PORT = 4021

/** All faults at once, with a token each, are some 3,000 bytes; an order is some 100. */
const SANDBOX_BYTES_MAX = 20_000

/**
 * The sandbox's mint server: official x402, v2, scheme `exact`, with a facilitator of its own.
 *
 * It is idempotent, which the executor can assume of no server: a payment that is sent again, however often, at once or
 * after a restart, gets the answer of the first time, and is paid once and minted once.
 *
 * When the scope closes, connections are cut and work under way is abandoned, as a killed server would leave it.
 */
export const serve = Effect.fn("MintServer.serve")(function* (options: MintServerOptions) {
  const run = yield* FiberSet.makeRuntimePromise()
  const account = privateKeyToAccount(options.gasKey)
  const devChain = DevChain.connect(options.rpcUrl)
  const network = `eip155:${options.chainId}` as const
  const faults = options.faults ?? Faults.make([])
  const withheld = new Set<Bytes32>()
  const chain = faultyChain(MintChain.make(devChain, options.usdc.address, account), faults, withheld)
  const records = yield* MintRecords.open(options.dataDir)
  const facilitator = MintFacilitator.make({ chain: devChain, network, account, run })
  const desk = yield* MintDesk.make({
    chain,
    records,
    facilitator: faultyFacilitator({ facilitator, faults, chain, records, run }),
    prices: new Map(options.tokens.map(({ address, pricePerMint }) => [address, usdc(pricePerMint)])),
    run
  })
  const app = MintApp.make({ desk, network, usdc: options.usdc, run })
  app.get("/health", (c) => {
    const tokens = options.tokens.map(({ address, pricePerMint }) => ({ address, pricePerMint: String(pricePerMint) }))
    return c.json({ ok: true, chainId: options.chainId, tokens })
  })
  const { sandbox } = options
  if (sandbox !== undefined) {
    const error = `a request has at most ${SANDBOX_BYTES_MAX} bytes`
    app.use("/sandbox/*", bodyLimit({ maxSize: SANDBOX_BYTES_MAX, onError: (c) => c.json({ error }, 413) }))
    app.all("/sandbox/*", ({ req }) => sandbox(req.raw))
  }
  const url = yield* listen(faultyAnswers({ app, faults, withheld, network, run }), options.port ?? PORT)
  return { url }
})
