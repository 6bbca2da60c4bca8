import type { PayIn } from "../../../domain/PayIn.ts"
import type { TaskRepo } from "../../TaskRepo.ts"
import { idsOf } from "../rows.ts"
import type { Methods } from "../statements.ts"

const rowOf = ({ taskId, status, tx, block, reason }: PayIn) => ({
  task_id: taskId,
  status,
  tx,
  block: block?.toString(),
  reason
})

/** What the chain says of pay-ins. */
export const payIns = {
  savePayIns: ({ once, sql }) =>
    once("save pay-ins", function* (judged) {
      if (judged.length === 0) return []
      return yield* idsOf(sql`
        UPDATE ai_agent_pay_ins p SET status = x.status, tx_hash = x.tx, block = x.block, reason = x.reason
        FROM jsonb_to_recordset(${JSON.stringify(judged.map(rowOf))}::text::jsonb)
          AS x(task_id uuid, status text, tx text, block bigint, reason text)
        WHERE p.task_id = x.task_id AND p.status = 'live'
        RETURNING p.task_id AS id`)
    })
} satisfies Methods<TaskRepo["Service"]>
