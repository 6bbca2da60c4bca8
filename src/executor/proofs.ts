import { Effect } from "effect"
import type { Bytes32 } from "../domain/Address.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"

interface Proof {
  readonly block: bigint
  readonly blockHash?: Bytes32 | undefined
}

/**
 * Remembers the blocks in which the chain showed something, before it is written down: a fork may begin between the
 * block of the last sweep and this one, and the next sweep could not tell.
 */
export const noteProofs = Effect.fnUntraced(function* (shown: ReadonlyArray<Proof | AuthorizationOutcome>) {
  const hashes = new Map(
    shown.flatMap((proof): ReadonlyArray<[bigint, Bytes32]> => {
      const isOne = "blockHash" in proof && proof.blockHash !== undefined
      return isOne ? [[proof.block, proof.blockHash]] : []
    })
  )
  if (hashes.size === 0) return
  yield* (yield* TaskRepo).noteProofs([...hashes].map(([block, hash]) => ({ block, hash })))
})
