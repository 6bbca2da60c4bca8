import { Effect } from "effect"
import { join } from "node:path"
import { ROOT, start } from "../e2e/support.ts"

/** `ai-mint` as `npm run ai-mint` runs it, in a directory of its own; how it ended and what it said. */
export const aiMint = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }
) {
  const script = ["--import", join(ROOT, "src/guard.js"), join(ROOT, "src/cli/main.ts")]
  const running = yield* start({ args: [...script, ...args], ...where })
  const { code } = yield* running.ended
  return { code, ...running.said }
}, Effect.scoped)
