import { defineConfig, type TestUserConfig } from "vitest/config"

/** What goes for every test. */
export const rules: TestUserConfig = {
  // For what hangs. Starting a database or a chain takes seconds on a busy machine, and thousands of requests take a
  // minute on one that is very busy. No test waits for time to pass.
  testTimeout: 180_000,
  hookTimeout: 60_000,
  // A test that passes at the second try is a bug that nobody looks at.
  retry: 0,
  // Frames of Effect's run loop say nothing about the fault.
  onStackTrace: (_error, frame) => !frame.file.includes("/node_modules/effect/")
}

/** What a test on PostgreSQL needs. */
export const database = { globalSetup: "./test/support/globalSetup.ts" }

/** Tests that start other programs or a chain: `npm run test:process`. */
export const ofProcesses = [
  "test/e2e/**/*.test.ts",
  "test/sandbox/**/*.test.ts",
  "test/chain/{anvil,facilitator,kinds,spending}.test.ts",
  "test/cli/local.test.ts",
  "test/config/start.test.ts",
  "test/checks/usdc.test.ts",
  "test/mint/v1Server.test.ts",
  "test/ops/stdout.test.ts",
  "test/ledger/timeZones.test.ts"
]

/** Tests on PostgreSQL. A run of any others starts none. */
const onPostgres = [
  "test/{defects,scenarios}.test.ts",
  "test/{api,executor,ledger,operator,runners}/**/*.test.ts",
  "test/docs/greps.test.ts",
  "test/checks/{database,doctor,keys,migrations}.test.ts",
  "test/ops/metrics.test.ts"
]

const elsewhere = ["test/deep/**", "test/page/browser/**", ...ofProcesses]

/** The files of one worker share its process and its modules: no test leaves anything behind for the next. */
const shared = { ...rules, pool: "forks", isolate: false, maxWorkers: 2 } as const

export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: "rules", include: ["test/**/*.test.ts"], exclude: [...elsewhere, ...onPostgres] } },
      { test: { ...shared, ...database, name: "postgres", include: onPostgres, exclude: elsewhere } }
    ]
  }
})
