import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/deep/**", "test/page/browser/**"],
    globalSetup: "./test/support/globalSetup.ts",
    // A process for each file: embedded databases and chains are heavy, and must not share a heap or die together.
    pool: "forks",
    // One more than the cores that the suite is measured on: tests of real processes wait for blocks most of the time.
    maxWorkers: 3,
    // Starting an embedded database takes seconds on a busy machine. No test waits for time to pass.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A test that passes at the second try is a bug that nobody looks at.
    retry: 0,
    // Frames of Effect's run loop say nothing about the fault.
    onStackTrace: (_error, frame) => !frame.file.includes("/node_modules/effect/")
  }
})
