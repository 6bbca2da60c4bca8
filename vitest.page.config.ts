import { defineConfig } from "vitest/config"
import { rules } from "./vitest.config.ts"

/** The operator's page in a real browser, which the machine has to have: `npm run test:page`. */
export default defineConfig({
  test: {
    ...rules,
    include: ["test/page/browser/**/*.test.ts"],
    // A browser keeps two cores busy: what is waited for must not wait for another browser.
    fileParallelism: false
  }
})
