import { defineConfig } from "vitest/config"
import { database, ofProcesses, rules } from "./vitest.config.ts"

/** Tests of real processes, chains and installations: `npm run test:process`. */
export default defineConfig({
  test: {
    ...rules,
    ...database,
    include: ofProcesses,
    // A process for each file: chains and embedded databases are heavy, and must not share a heap or die together.
    pool: "forks",
    // One more than the cores that the suite is measured on: these tests wait for blocks most of the time.
    maxWorkers: 3
  }
})
