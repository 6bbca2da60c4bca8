import { Effect } from "effect"
import { encodeFunctionData, type Hex, parseAbi, parseEther } from "viem"
import { MULTICALL3 } from "../chain/multicall.ts"
import { local, type UsdcContract } from "../config/Network.ts"
import type { Address, Bytes32 } from "../domain/Address.ts"
import type { Usdc } from "../domain/Usdc.ts"
import multicall3 from "./contracts/Multicall3.json" with { type: "json" }
