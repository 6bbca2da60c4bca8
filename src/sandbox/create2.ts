import { concat, getCreate2Address, type Hex, keccak256, toHex } from "viem"
import { type Address, address } from "../domain/Address.ts"

/**
 * Makes contracts whose addresses follow from their code alone (EIP-1014), on every chain and in any order. Part of
 * anvil's block 0. Source: github.com/Arachnid/deterministic-deployment-proxy.
 */
export const FACTORY = address("0x4e59b44847b379578588920cA78FbF26c0B4956C")

/** Keeps the sandbox's contracts apart from the same code deployed by others. */
const SALT = keccak256(toHex("ai-mint-executor/sandbox"))

/** A call of the factory that makes a contract. */
export interface Creation {
  readonly to: Address
  readonly data: Hex
}

/** `code` is the creation code followed by the constructor's arguments. */
export const creationOf = (code: Hex): Creation => ({ to: FACTORY, data: concat([SALT, code]) })

/** Where the contract is, or will be. The factory takes the first 32 bytes as salt, and the rest as code. */
export const addressOf = ({ data }: Creation): Address =>
  address(getCreate2Address({ from: FACTORY, salt: SALT, bytecode: `0x${data.slice(2 + 64)}` }))
