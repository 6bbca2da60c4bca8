import { defineConfig } from "vitest/config"
import config from "./vitest.config.ts"

/** The operator's page in a real browser, which the machine has to have: `npm run test:page`. */
export default defineConfig({
  test: {
    ...config.test,
    include: ["test/page/browser/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    // A browser keeps two cores busy: what is waited for must not wait for another browser.
    fileParallelism: false,
    // No test here uses a database of its own.
    globalSetup: [],
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
