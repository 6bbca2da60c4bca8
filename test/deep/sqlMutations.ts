import type { Patch } from "../simulation/mutations.ts"

/** A mistake in the statements of the ledger, which its tests on a real database have to notice. */
export interface SqlMutation {
  readonly name: string
  readonly patches: ReadonlyArray<Patch>
  /** The file with the test that notices it. Left out, all are run, up to the first test that does. */
  readonly noticedBy?: string
}

export const SQL_MUTATIONS: ReadonlyArray<SqlMutation> = [
  {
    name: "a batch is written whatever its version is",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: " AND b.version = x.version AND b.status = x.was\n",
        replace: "\n"
      }
    ]
  },
  {
    name: "an order is funded or cancelled while its pay-in may come",
    patches: [
      {
        file: "src/ledger/sql/tasks/sweep.ts",
        find: "AND NOT EXISTS (SELECT 1 FROM ai_agent_pay_ins p WHERE p.task_id = t.id AND p.status = 'live')",
        replace: ""
      }
    ]
  },
  {
    name: "what became of a pay-in is written twice",
    patches: [
      {
        file: "src/ledger/sql/tasks/payIns.ts",
        find: "WHERE p.task_id = x.task_id AND p.status = 'live'",
        replace: "WHERE p.task_id = x.task_id"
      }
    ]
  },
  {
    name: "a pause is not in the claim",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: " OR ${pausedFor(sql, sql`b.wallet_id`, sql`b.token`)} OR ${another}",
        replace: " OR ${another}"
      }
    ]
  },
  {
    name: "the stop of a wallet is not in the claim",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "sql`(${isStopped(on, sql`b.wallet_id`)} OR ",
        replace: "sql`("
      }
    ]
  },
  {
    name: "a limit is not in the claim",
    noticedBy: "test/ledger/limits.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "        AND NOT (x.is_claim AND ${exceedsLimit(on, limits)})\n",
        replace: ""
      }
    ]
  },
  {
    name: "two executors claim under one limit at once",
    noticedBy: "test/ledger/limits.test.ts",
    patches: [
      { file: "src/ledger/sql/limits.ts", find: " ORDER BY l.scope FOR NO KEY UPDATE`", replace: " ORDER BY l.scope`" }
    ]
  },
  {
    name: "the claims of one statement do not count against each other",
    noticedBy: "test/ledger/limits.test.ts",
    patches: [{ file: "src/ledger/sql/saves/batchRows.ts", find: "y.is_claim AND y.i <= x.i", replace: "y.i = x.i" }]
  },
  {
    name: "a limit that is set beside claims under way is not in force",
    noticedBy: "test/ledger/limits.test.ts",
    patches: [
      {
        file: "src/ledger/sql/decisions/limits.ts",
        find: "reason, sinceMs }, decision) {\n      yield* changePauses(on.sql)",
        replace: "reason, sinceMs }, decision) {"
      },
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "l.scope <> ALL(${locked}::text[])",
        replace: "cardinality(${locked}::text[]) < 0"
      }
    ]
  },
  {
    name: "a payment that is void still counts against its limit",
    noticedBy: "test/ledger/TaskRepo.postgres.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "signed_at = to_timestamp(x.signed_ms / 1000)",
        replace: "signed_at = coalesce(to_timestamp(x.signed_ms / 1000), b.signed_at)"
      },
      {
        file: "src/ledger/sql/limits.ts",
        find: "coalesce(b.signed_amount, b.paid_amount, 0)",
        replace: "coalesce(b.signed_amount, b.paid_amount, b.amount)"
      }
    ]
  },
  {
    name: "an order is funded though its wallet has changed",
    patches: [
      {
        file: "src/ledger/sql/tasks/sweep.ts",
        find: "WHERE ws.version = excluded.version - ${bump ? 1 : 0}::int AND ws.proven_block <=",
        replace: "WHERE ws.proven_block <="
      }
    ]
  },
  {
    name: "an order is cancelled by a balance from before the last payment",
    patches: [
      {
        file: "src/ledger/sql/tasks/sweep.ts",
        find: " AND ws.proven_block <= ${block.number}::bigint\n      RETURNING ws.wallet_id",
        replace: "\n      RETURNING ws.wallet_id"
      }
    ]
  },
  {
    name: "a deposit that is found again counts again",
    patches: [
      {
        file: "src/ledger/sql/tasks/deposits.ts",
        find: "FROM matched m WHERE m.known_index IS NULL",
        replace: "FROM matched m"
      }
    ]
  },
  {
    name: "payments do not leave the books",
    patches: [
      {
        file: "src/ledger/sql/locks.ts",
        find: "THEN ws.book_balance - ${amount} ELSE",
        replace: "THEN ws.book_balance ELSE"
      }
    ]
  },
  {
    name: "a refund is written whatever its version is",
    patches: [
      {
        file: "src/ledger/sql/transferWrites.ts",
        find: "${before.id}::uuid AND version = ${before.version}::int AND status = ${before.status}",
        replace: "${before.id}::uuid"
      }
    ]
  },
  {
    name: "all steps wait for one of which another program has the wallet",
    noticedBy: "test/ledger/together.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "ORDER BY ws.wallet_id FOR NO KEY UPDATE SKIP LOCKED",
        replace: "ORDER BY ws.wallet_id FOR NO KEY UPDATE"
      }
    ]
  },
  {
    name: "all steps wait for one of which another program has the order",
    noticedBy: "test/ledger/together.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED",
        replace: "ORDER BY t.id FOR NO KEY UPDATE"
      }
    ]
  },
  {
    name: "all steps wait for one of which another program has the batch",
    noticedBy: "test/ledger/together.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/batchRows.ts",
        find: "FOR NO KEY UPDATE OF b SKIP LOCKED",
        replace: "FOR NO KEY UPDATE OF b"
      }
    ]
  },
  {
    name: "two payments of one wallet are claimed in one statement",
    patches: [
      {
        file: "src/ledger/sql/saves/saveBatches.ts",
        find: "const isFirst = !seen.has(before.walletId) && !seen.has(before.taskId)",
        replace: "const isFirst = true"
      }
    ]
  },
  {
    name: "what one step cannot write costs all that were made with it",
    noticedBy: "test/ledger/together.test.ts",
    patches: [
      {
        file: "src/ledger/sql/saves/saveBatches.ts",
        find: 'return error.reason === "Contended" || (steps > 1 && error.reason !== "Unavailable")',
        replace: 'return error.reason === "Contended"'
      }
    ]
  }
]
