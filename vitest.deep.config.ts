import { defineConfig } from "vitest/config"
import config from "./vitest.config.ts"

/** Tests that take minutes: `npm run check:deep`. */
export default defineConfig({
  test: {
    ...config.test,
    include: ["test/deep/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    // Each of them runs a network and several executors, by the clock of the wall.
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 120_000
  }
})
