import { Effect } from "effect"
import { encodeFunctionData, type Hex, maxUint256, parseAbi, parseEther } from "viem"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Usdc } from "../domain/Usdc.ts"
import multicall3 from "./contracts/Multicall3.json" with { type: "json" }
import { addressOf, type Call, type DevChain, DevChainError, FACTORY, MULTICALL3, roles } from "./DevChain.ts"
import { mintTokenCreation, type TokenTerms } from "./mintToken.ts"
import { setUpUsdc, USDC, usdcAbi, usdcParts } from "./usdcDeployment.ts"

/** The token that the sandbox sells. */
const SANDBOX_TOKEN: TokenTerms = { name: "Sandbox Mint", symbol: "MINT" }

/** The sandbox's token: the same address on every chain. */
export const TOKEN: Address = addressOf(mintTokenCreation(SANDBOX_TOKEN))

/** More than all orders of a sandbox cost, in base units: a trillion USDC. */
const CUSTOMER_FUNDS = 10n ** 18n

/** What each account keeps for gas at least, in wei. A mint of ten costs less than a millionth of it. */
const GAS_FUNDS = parseEther("1")

/**
 * Gas limits of what cannot be estimated, as it follows on transactions that are in no block yet. Measured: the largest
 * part of USDC 5.1 million, its set-up and the token 0.8 million each, all together 7.2 of the 30 million of a block.
 */
const CREATION_GAS = 8_000_000n
const TOKEN_GAS = 1_000_000n
const CALL_GAS = 300_000n

/**
 * Puts on the chain what `local` promises: Multicall3, Circle's USDC and the sandbox's token, and gives each account
 * what it needs. Leaves alone what is there already, so it may be called at every start, and after one that was cut off.
 */
export const deploy = Effect.fn("Contracts.deploy")(function* (chain: DevChain) {
  const found = yield* look(chain)
  if (!found.code.has(FACTORY)) return yield* notAnvil(chain)
  if (!found.code.has(MULTICALL3)) {
    const bytecode = multicall3.deployedBytecode as Hex
    yield* chain.ask("put Multicall3", (client) => client.setCode({ address: MULTICALL3, bytecode }))
  }
  for (const account of found.poor) yield* giveEth(chain, account, 100n * GAS_FUNDS)
  yield* sendAll(chain, missing(found))
})

/** Another token that the sandbox's mint server may mint. */
export const deployToken = (chain: DevChain, terms: TokenTerms): Effect.Effect<Address, DevChainError> =>
  Effect.map(deployTokens(chain, [terms]), ([token = TOKEN]) => token)

/** Several at once, in their order: at most as many as one block holds, which is some 30. */
export const deployTokens = Effect.fn("Contracts.deployTokens")(function* (
  chain: DevChain,
  terms: ReadonlyArray<TokenTerms>
) {
  const tokens = terms.map((of) => ({ of, creation: mintTokenCreation(of), token: addressOf(mintTokenCreation(of)) }))
  const isMissing = Effect.fnUntraced(function* ({ of, token }: (typeof tokens)[number]) {
    const code = yield* chain.ask(`look for ${of.symbol}`, (client) => client.getCode({ address: token }))
    return code === undefined
  })
  const missing = yield* Effect.filter(tokens, isMissing, { concurrency: "unbounded" })
  yield* sendAll(
    chain,
    missing.map(({ of, creation }) => ({ name: `deploy ${of.symbol}`, ...creation, gas: TOKEN_GAS }))
  )
  return tokens.map(({ token }) => token)
})

/** USDC out of nothing, as Circle mints it. Returns when it is in a block. */
export const mintUsdc = Effect.fn("Contracts.mintUsdc")(function* (chain: DevChain, to: Address, amount: Usdc) {
  const data = encodeFunctionData({ abi: usdcAbi, functionName: "mint", args: [to, amount] })
  return yield* transact(chain, "mint USDC", roles.treasury, { to: USDC, data })
})

/** USDC from the customer, as a person pays for an order. Returns when it is in a block. */
export const payUsdc = Effect.fn("Contracts.payUsdc")(function* (chain: DevChain, to: Address, amount: Usdc) {
  const data = encodeFunctionData({ abi: usdcAbi, functionName: "transfer", args: [to, amount] })
  return yield* transact(chain, "pay USDC", roles.customer, { to: USDC, data })
})

/** Sets what an account has for gas, in wei. */
export const giveEth = (chain: DevChain, to: Address, wei: bigint): Effect.Effect<void, DevChainError> =>
  chain.ask("give ETH", (client) => client.setBalance({ address: to, value: wei }))

const transact = (
  chain: DevChain,
  operation: string,
  from: (typeof roles)[keyof typeof roles],
  call: Call
): Effect.Effect<Bytes32, DevChainError> =>
  chain.send(operation, from, call).pipe(
    Effect.flatMap((hash) => chain.receipt(operation, hash)),
    Effect.map((receipt) => receipt.transactionHash)
  )

interface Found {
  readonly code: ReadonlySet<Address>
  readonly poor: ReadonlyArray<Address>
  readonly canMintUsdc: boolean
  readonly customerFunds: bigint
}

const look = (chain: DevChain): Effect.Effect<Found, DevChainError> =>
  chain.ask("look at the chain", async (client) => {
    const contracts = [FACTORY, MULTICALL3, ...usdcParts.map(addressOf), USDC, TOKEN]
    const codes = await Promise.all(contracts.map((address) => client.getCode({ address })))
    const code = new Set(contracts.filter((_, index) => codes[index] !== undefined))
    const accounts = Object.values(roles).map(({ address }) => address.toLowerCase() as Address)
    const balances = await Promise.all(accounts.map((address) => client.getBalance({ address })))
    const poor = accounts.filter((_, index) => (balances[index] ?? 0n) < GAS_FUNDS)
    if (!code.has(USDC)) return { code, poor, canMintUsdc: false, customerFunds: 0n }
    const contract = { address: USDC, abi: usdcAbi } as const
    const [canMintUsdc, customerFunds] = await Promise.all([
      client.readContract({ ...contract, functionName: "isMinter", args: [roles.treasury.address] }),
      client.readContract({ ...contract, functionName: "balanceOf", args: [roles.customer.address] })
    ])
    return { code, poor, canMintUsdc, customerFunds }
  })

interface DeployStep extends Call {
  readonly name: string
}

const missing = ({ code, canMintUsdc, customerFunds }: Found): ReadonlyArray<DeployStep> => {
  const parts = usdcParts.filter((part) => !code.has(addressOf(part)))
  const treasury = roles.treasury.address
  const permit = encodeFunctionData({ abi: usdcAbi, functionName: "configureMinter", args: [treasury, maxUint256] })
  const fund = encodeFunctionData({
    abi: usdcAbi,
    functionName: "mint",
    args: [roles.customer.address, CUSTOMER_FUNDS]
  })
  return [
    ...parts.map((part) => ({ name: "deploy a part of USDC", ...part, gas: CREATION_GAS })),
    ...(code.has(USDC) ? [] : [{ name: "set up USDC", ...atOnce(setUpUsdc()), gas: CREATION_GAS }]),
    ...(canMintUsdc ? [] : [{ name: "let the treasury mint USDC", to: USDC, data: permit, gas: CALL_GAS }]),
    ...(customerFunds >= CUSTOMER_FUNDS / 2n
      ? []
      : [{ name: "fund the customer", to: USDC, data: fund, gas: CALL_GAS }]),
    ...(code.has(TOKEN) ? [] : [{ name: "deploy the token", ...mintTokenCreation(SANDBOX_TOKEN), gas: CREATION_GAS }])
  ]
}

const aggregateAbi = parseAbi([
  "struct Call { address target; bool allowFailure; bytes callData; }",
  "function aggregate3(Call[] calls) payable"
])

/** Several calls as one transaction: all of them happen, or none. */
const atOnce = (calls: ReadonlyArray<Call>): Call => {
  const args = [calls.map(({ to, data }) => ({ target: to, allowFailure: false, callData: data }))] as const
  return { to: MULTICALL3, data: encodeFunctionData({ abi: aggregateAbi, functionName: "aggregate3", args }) }
}

/** The executor reads a few blocks back (`CONFIRMATIONS`), and must find the contracts there at its first look. */
const BLOCKS_ON_TOP = 8

/** All in one block, made at once: a start does not wait for the next second. */
const sendAll = Effect.fnUntraced(function* (chain: DevChain, steps: ReadonlyArray<DeployStep>) {
  const sent = yield* Effect.forEach(steps, ({ name, ...call }) =>
    Effect.map(chain.send(name, roles.treasury, call), (hash) => ({ name, hash }))
  )
  if (sent.length > 0) yield* chain.mine(1 + BLOCKS_ON_TOP)
  yield* Effect.forEach(sent, ({ name, hash }) => chain.receipt(name, hash), { concurrency: "unbounded" })
})

const notAnvil = ({ rpcUrl }: DevChain) =>
  new DevChainError({
    operation: "put the sandbox's contracts on the chain",
    cause: new Error(`the chain at ${new URL(rpcUrl).host} is no anvil: contract ${FACTORY} is not there`)
  })
