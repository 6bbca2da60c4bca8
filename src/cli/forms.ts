import { Schema } from "effect"
import * as System from "../operator/reports/status.ts"
import * as Tasks from "../operator/reports/tasks.ts"
import * as Wallets from "../operator/reports/wallets.ts"
import type { Form } from "./tell.ts"
import { type Report, wordsOf } from "./words/decisions.ts"
import { explanationWords } from "./words/explain.ts"
import type { Look } from "./words/paint.ts"
import { pausedWords } from "./words/pauses.ts"
import { directStatusWords, statusWords } from "./words/status.ts"
import { taskListWords, taskWords } from "./words/tasks.ts"
import { walletWords } from "./words/wallet.ts"

/** What was decided, by whichever way: the same words, and the same JSON. */
export const decision: Form<Report> = { words: wordsOf, json: (report) => report }

/** What the executor answers: its own JSON goes on to programs as the contract has it. */
const answer = <S extends Schema.ConstraintEncoder<unknown>>(
  schema: S,
  words: (report: S["Type"], look: Look) => ReadonlyArray<string>
): Form<S["Type"]> => ({ words, json: Schema.encodeSync(schema) })

export const status = answer(System.StatusReport, statusWords)
export const directStatus = answer(System.StatusReport, directStatusWords)
export const taskList = answer(Tasks.TaskList, taskListWords)
export const task = answer(Tasks.TaskReport, taskWords)
export const explanation = answer(Tasks.Explanation, explanationWords)
export const wallet = answer(Wallets.WalletReport, walletWords)
export const paused = answer(Wallets.Paused, pausedWords)
