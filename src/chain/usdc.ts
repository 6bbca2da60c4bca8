import { decodeEventLog, domainSeparator, pad, parseAbi, toEventSelector } from "viem"
import type { NetworkShape } from "../config/Network.ts"
import { type Address, address, type Bytes32 } from "../domain/Address.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import type { Log } from "./answers.ts"

/** What the executor uses of Circle's FiatTokenV2_2. Source: github.com/circlefin/stablecoin-evm. */
export const usdcAbi = parseAbi([
  "function name() view returns (string)",
  "function version() view returns (string)",
  "function DOMAIN_SEPARATOR() view returns (bytes32)",
  "function balanceOf(address account) view returns (uint256)",
  "function paused() view returns (bool)",
  "function isBlacklisted(address account) view returns (bool)",
  "function authorizationState(address authorizer, bytes32 nonce) view returns (bool)",
  "event Transfer(address indexed from, address indexed to, uint256 value)"
])

/** First topic of each event. `Transfer` is the same for ERC-20 and ERC-721. */
export const TRANSFER = toEventSelector("Transfer(address,address,uint256)")
export const AUTHORIZATION_USED = toEventSelector("AuthorizationUsed(address,bytes32)")
export const AUTHORIZATION_CANCELED = toEventSelector("AuthorizationCanceled(address,bytes32)")

/** The EIP-712 type that a payment is signed as. Source: EIP-3009, `TRANSFER_WITH_AUTHORIZATION_TYPEHASH`. */
export const authorizationTypes = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" }
  ]
} as const

/** What a signature is bound to, so that it is worth nothing on another chain or for another token. */
export const signingDomain = ({ chainId, usdc }: NetworkShape) => ({
  name: usdc.name,
  version: usdc.version,
  chainId,
  verifyingContract: usdc.address
})

/** The hash of the signing domain, which the contract tells too (`DOMAIN_SEPARATOR`). */
export const separatorOf = (network: NetworkShape): Bytes32 => domainSeparator({ domain: signingDomain(network) })

/** An address as an indexed field of an event holds it. */
export const topicOf = (account: Address): Bytes32 => pad(account)

export interface Transfer {
  readonly from: Address
  readonly to: Address
  readonly value: Usdc
}

/** Throws where the log is no ERC-20 `Transfer`. */
export const decodeTransfer = (log: Log): Transfer => {
  const topics = log.topics as [Bytes32, ...Array<Bytes32>]
  const { args } = decodeEventLog({ abi: usdcAbi, eventName: "Transfer", topics, data: log.data })
  return { from: address(args.from), to: address(args.to), value: usdc(args.value) }
}
