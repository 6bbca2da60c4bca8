import type { Mutation } from "./mutations.ts"

/** Mistakes about payments that clients sign for one order. */
export const MUTATIONS_OF_PAY_INS: ReadonlyArray<Mutation> = [
  {
    name: "an order does not wait for its pay-in",
    patches: [
      {
        file: "src/domain/payInEvidence.ts",
        find: 'payIns.find((one) => one.taskId === taskId && one.status === "live")',
        replace: "undefined"
      },
      {
        file: "src/domain/payInEvidence.ts",
        find: "if (live.length === 0) return evidence",
        replace: "return evidence"
      },
      {
        file: "test/support/memory/payIns.ts",
        find: 'payIn.taskId === taskId && payIn.status === "live"',
        replace: "false"
      }
    ],
    frequent: ["paid in by its client"],
    withinSeeds: 60
  },
  {
    name: "what a pay-in brought pays for any order",
    patches: [
      {
        file: "src/domain/payInEvidence.ts",
        find: "return own.size === 0 ? candidates",
        replace: "return own.size >= 0 ? candidates"
      }
    ],
    frequent: ["paid in by its client", "order of the same cost beside a pay-in"],
    withinSeeds: 60
  },
  {
    name: "a pay-in is given up a minute before its window has passed",
    patches: [
      {
        file: "src/domain/PayIn.ts",
        find: "block.timeMs >= validBefore * 1000",
        replace: "block.timeMs >= validBefore * 1000 - 60_000"
      }
    ],
    frequent: ["paid in by its client", "order of the same cost beside a pay-in", "pay-in at the edge of its window"],
    withinSeeds: 200
  },
  {
    name: "a pay-in is given up where no log says how its nonce was used",
    patches: [
      {
        file: "src/domain/PayIn.ts",
        find: 'case "Unexplained":\n      return undefined',
        replace: 'case "Unexplained":\n      return { ...payIn, status: "void", block: block.number }'
      }
    ],
    frequent: ["paid in by its client", "order of the same cost beside a pay-in", "rpc without logs"],
    withinSeeds: 200
  },
  {
    name: "what a pay-in may have brought is free while no log shows it",
    patches: [
      {
        file: "src/domain/payInEvidence.ts",
        find: "const doubtful = live.filter(({ isUnused }) => !isUnused)",
        replace: "const doubtful = live.filter(() => false)"
      }
    ],
    frequent: [
      "paid in by its client",
      "order of the same cost beside a pay-in",
      "rpc with logs behind the state",
      "rpc without logs"
    ],
    withinSeeds: 400
  }
]
