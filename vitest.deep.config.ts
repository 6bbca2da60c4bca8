import { defineConfig } from "vitest/config"
import { database, rules } from "./vitest.config.ts"

/** Tests that take minutes: `npm run check:deep`. */
export default defineConfig({
  test: {
    ...rules,
    ...database,
    include: ["test/deep/**/*.test.ts"],
    // Each of them runs a network and several executors, by the clock of the wall.
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 120_000
  }
})
