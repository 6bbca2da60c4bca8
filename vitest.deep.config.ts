import { defineConfig } from "vitest/config"
import config from "./vitest.config.ts"

/** Tests that take minutes: `npm run check:deep`. */
export default defineConfig({
  test: {
    ...config.test,
    include: ["test/deep/**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    testTimeout: 900_000,
    hookTimeout: 120_000
  }
})
