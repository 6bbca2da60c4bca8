import { concat, encodeAbiParameters, type Hex, parseAbi, parseEther } from "viem"
import artifact from "./contracts/MintToken.json" with { type: "json" }
import { type Creation, creationOf, roles } from "./DevChain.ts"

/** What the sandbox calls and reads of `contracts/MintToken.sol`. */
export const mintTokenAbi = parseAbi([
  "function mint(address to, bytes32[] ids)",
  "function hasMinted(bytes32 id) view returns (bool)",
  "function mintCount() view returns (uint256)",
  "function maxMintCount() view returns (uint256)",
  "function remainingSupply() view returns (uint256)",
  "function mintAmount() view returns (uint256)",
  "function balanceOf(address account) view returns (uint256)",
  "event TokensMinted(address indexed to, uint256 amount, bytes32 id)",
  "error NotMinter(address caller)",
  "error SoldOut(uint256 maxMintCount)",
  "error ZeroRecipient()"
])

export interface TokenTerms {
  readonly name: string
  readonly symbol: string
  /** How many mints there will ever be. Default: more than a sandbox sells. */
  readonly maxMintCount?: bigint
}

/** What one mint gives: 1,000 whole tokens of 18 decimals. */
const MINT_AMOUNT = parseEther("1000")

const MINTS_AT_MOST = 1_000_000n

/** A token that the sandbox's mint server may mint. Its address follows from the code and the terms. */
export const mintTokenCreation = ({ name, symbol, maxMintCount = MINTS_AT_MOST }: TokenTerms): Creation =>
  creationOf(
    concat([
      artifact.bytecode as Hex,
      encodeAbiParameters(
        [{ type: "string" }, { type: "string" }, { type: "address" }, { type: "uint256" }, { type: "uint256" }],
        [name, symbol, roles.mintServer.address, MINT_AMOUNT, maxMintCount]
      )
    ])
  )
