import { Effect } from "effect"
import { join } from "node:path"
import { ROOT, start } from "../e2e/support.ts"

interface Where {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** `ai-mint` as `npm run ai-mint` runs it, while it runs. */
export const startAiMint = (args: ReadonlyArray<string>, where: Where) =>
  start({ args: ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts"), ...args], ...where })

/** The same in a directory of its own, to its end; how it ended and what it said. */
export const aiMint = Effect.fnUntraced(function* (args: ReadonlyArray<string>, where: Where) {
  const running = yield* startAiMint(args, where)
  const { code } = yield* running.ended
  return { code, ...running.said }
}, Effect.scoped)
