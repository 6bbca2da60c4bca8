import { Effect } from "effect"
import { type Account, encodeFunctionData, parseEventLogs } from "viem"
import { address, type Address, type Bytes32 } from "../domain/Address.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import type { DevChain, DevChainError } from "./DevChain.ts"
import type { Payment } from "./mintOrder.ts"
import { mintTokenAbi } from "./mintToken.ts"
import { usdcAbi } from "./usdcDeployment.ts"

/** A payment that the chain has. */
export interface Settled {
  readonly tx: Bytes32
  readonly block: bigint
  readonly payTo: Address
  readonly amount: Usdc
}

/** Whether what used a nonce is what is due: USDC for the token, at the token's own address. */
export const isPaidBy = (
  settled: Settled | undefined,
  due: { readonly token: Address; readonly amount: Usdc | undefined }
): settled is Settled => settled?.payTo === due.token && settled.amount === due.amount

/** What the mint server asks of the chain. Reads are at its head: the sandbox's chain never takes a block back. */
export interface MintChain {
  readonly head: Effect.Effect<bigint, DevChainError>
  /** The transfer that used the nonce, `fromBlock` or later; `undefined` where it is unused or canceled. */
  readonly findSettled: (
    payment: Pick<Payment, "payer" | "nonce">,
    fromBlock: bigint
  ) => Effect.Effect<Settled | undefined, DevChainError>
  readonly remaining: (token: Address) => Effect.Effect<bigint, DevChainError>
  /** The transactions that minted ids to the order's recipient, `fromBlock` or later, by id. */
  readonly findMints: (
    order: MintOrder,
    fromBlock: bigint
  ) => Effect.Effect<ReadonlyMap<Bytes32, Bytes32>, DevChainError>
  /** Mints what is not minted yet of `ids` to the order's recipient. Returns when it is in a block. */
  readonly mint: (order: MintOrder, ids: ReadonlyArray<Bytes32>) => Effect.Effect<void, DevChainError>
}

export const make = (chain: DevChain, usdcAddress: Address, minter: Account): MintChain => ({
  head: chain.ask("read the block number", (client) => client.getBlockNumber()),

  findSettled: Effect.fn("MintChain.findSettled")(({ payer, nonce }, fromBlock) =>
    chain.ask("look up a payment", async (client) => {
      const contract = { address: usdcAddress, abi: usdcAbi } as const
      const state = { ...contract, functionName: "authorizationState", args: [payer, nonce] } as const
      if (!(await client.readContract(state))) return undefined
      const event = { ...contract, eventName: "AuthorizationUsed", args: { authorizer: payer, nonce } } as const
      const [used] = await client.getContractEvents({ ...event, fromBlock })
      if (used === undefined) return undefined
      const { logs } = await client.getTransactionReceipt({ hash: used.transactionHash })
      // USDC logs the use of the nonce, and right after it the transfer that it was used for.
      const after = logs.filter((log) => address(log.address) === usdcAddress && log.logIndex > used.logIndex)
      const [transfer] = parseEventLogs({ abi: usdcAbi, eventName: "Transfer", logs: after })
      if (transfer === undefined || address(transfer.args.from) !== payer) return undefined
      const { to, value } = transfer.args
      return { tx: used.transactionHash, block: used.blockNumber, payTo: address(to), amount: usdc(value) }
    })
  ),

  remaining: (token) =>
    chain.ask("read the supply", (client) =>
      client.readContract({ address: token, abi: mintTokenAbi, functionName: "remainingSupply" })
    ),

  findMints: ({ token, recipient }, fromBlock) =>
    chain.ask("look up mints", async (client) => {
      const event = { address: token, abi: mintTokenAbi, eventName: "TokensMinted", strict: true } as const
      const logs = await client.getContractEvents({ ...event, args: { to: recipient }, fromBlock })
      return new Map(logs.map(({ args, transactionHash }) => [args.id, transactionHash]))
    }),

  mint: Effect.fn("MintChain.mint")(function* ({ token, recipient }, ids) {
    const data = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [recipient, ids] })
    const hash = yield* chain.send("mint", minter, { to: token, data })
    yield* chain.receipt("mint", hash)
  })
})
