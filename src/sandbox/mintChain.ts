import { Effect } from "effect"
import { type Account, encodeFunctionData, parseEventLogs } from "viem"
import { address, type Address, type Bytes32 } from "../domain/Address.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import type { MintOrder } from "../mint/Minter.ts"
import type { DevChain } from "./DevChain.ts"
import type { ReceivedPayment } from "./mintOrder.ts"
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

export type MintChain = ReturnType<typeof make>

/** What the mint server asks of the chain. Reads are at its head: the sandbox's chain never takes a block back. */
export const make = (chain: DevChain, usdcAddress: Address, minter: Account) => ({
  head: chain.ask("read the block number", (client) => client.getBlockNumber()),

  /** The transfer that used the nonce, `fromBlock` or later; `undefined` where it is unused or canceled. */
  findSettled: ({ payer, nonce }: Pick<ReceivedPayment, "payer" | "nonce">, fromBlock: bigint) =>
    chain.ask("look up a payment", async (client): Promise<Settled | undefined> => {
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
    }),

  remaining: (token: Address) =>
    chain.ask("read the supply", (client) =>
      client.readContract({ address: token, abi: mintTokenAbi, functionName: "remainingSupply" })
    ),

  /** The transactions that minted ids to the order's recipient, `fromBlock` or later, by id. */
  findMints: ({ token, recipient }: MintOrder, fromBlock: bigint) =>
    chain.ask("look up mints", async (client) => {
      const event = { address: token, abi: mintTokenAbi, eventName: "TokensMinted", strict: true } as const
      const logs = await client.getContractEvents({ ...event, args: { to: recipient }, fromBlock })
      return new Map<Bytes32, Bytes32>(logs.map(({ args, transactionHash }) => [args.id, transactionHash]))
    }),

  /** Mints what is not minted yet of `ids` to the order's recipient. Returns when it is in a block. */
  mint: Effect.fn("MintChain.mint")(function* ({ token, recipient }: MintOrder, ids: ReadonlyArray<Bytes32>) {
    const data = encodeFunctionData({ abi: mintTokenAbi, functionName: "mint", args: [recipient, ids] })
    const hash = yield* chain.send("mint", minter, { to: token, data })
    yield* chain.receipt("mint", hash)
  })
})
