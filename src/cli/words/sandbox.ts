import { hang, usdcOf } from "./text.ts"

/** What the person of the sandbox paid for an order, base units of USDC. */
export interface SandboxPayment {
  readonly command: "pay"
  readonly taskId: string
  readonly agentAddress: string
  readonly amount: bigint
}

/** `ai-mint sandbox pay`. */
export const paymentWords = ({ taskId, agentAddress, amount }: SandboxPayment): ReadonlyArray<string> => [
  ...hang("💵 ", `${usdcOf(amount)} are paid to ${agentAddress}`),
  ...hang("   ", `for task ${taskId}: the executor sees them at one of its next checks`)
]
