import { Effect } from "effect"
import type { ChainClient, ChainErrorReason } from "../../src/chain/ChainClient.ts"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { address } from "../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import type { Process } from "./Process.ts"
import { meddle } from "./strangers.ts"
import { short } from "./Timeline.ts"
import type { World } from "./World.ts"

/** The AI Agent Account, which takes refunds to the chain. */
export const GAS_ACCOUNT = address("0x9a5acc0000000000000000000000000000000001")

const GAS_MONEY = 10n ** 16n

const fail = (reason: ChainErrorReason, detail: string) =>
  Effect.fail(new ChainError({ reason, operation: "send a refund", detail }))

/** When the transaction of a refund gets into a block, at the earliest. */
const landsMs = ({ faults, timeline }: World, { validBefore }: SignedAuthorization): number => {
  if (faults.strikes("refund lands just before validBefore")) return validBefore * 1000 - 2_000
  if (faults.strikes("refund lands just after validBefore")) return validBefore * 1000
  if (!faults.strikes("refund sent late")) return 0
  return timeline.nowMs + faults.random("refund sent late").pick([5, 30, 100, 240]) * 1000
}

const submit = (world: World, payment: SignedAuthorization): void => {
  const { chain, trace } = world
  const land = (block: number) => {
    const result = chain.settle(payment, block)
    const said = result._tag === "done" ? "done" : result.why
    trace.say("gas", `refund ${short(payment.nonce)} in block ${block}: ${said}`)
  }
  chain.submit(land, landsMs(world, payment))
}

export type Sender = Pick<ChainClient["Service"], "gasAccount" | "gasBalance" | "sendTransfer">

/** The gas account as one process has it: its key may be missing, its money gone, its transactions lost on their way. */
export const sender = (
  world: World,
  process: Process,
  ask: <A>(operation: string, answer: () => Effect.Effect<A, ChainError>) => Effect.Effect<A, ChainError>
): Sender => {
  const { chain, faults, oracle, timeline, trace } = world
  const isEmpty = () => timeline.nowMs < world.gasEmptyUntilMs

  const send = (payment: SignedAuthorization) => {
    if (isEmpty()) return fail("Rejected", "insufficient funds for gas")
    // The node is asked for the gas that it needs, and so whether it would go through.
    if (!chain.wouldSettle(payment)) return fail("Reverted", "execution reverted")
    meddle(world, payment)
    if (faults.strikes("refund lost before the chain")) return Effect.succeed(chain.hash())
    submit(world, payment)
    return faults.strikes("refund answer lost") ? fail("Timeout", "no answer") : Effect.succeed(chain.hash())
  }

  return {
    get gasAccount() {
      return process.hasGasKey || faults.isHealed ? GAS_ACCOUNT : undefined
    },
    gasBalance: ask("read the gas money", () => Effect.succeed(isEmpty() ? 0n : GAS_MONEY)),
    sendTransfer: (payment) =>
      ask("send a refund", () => {
        oracle.onRefundSent(payment)
        trace.say(
          process.name,
          `sends refund ${payment.value} with ${short(payment.nonce)} until ${payment.validBefore}`
        )
        return faults.strikes("refund rpc error") ? fail("Unavailable", "the node said so") : send(payment)
      })
  }
}
