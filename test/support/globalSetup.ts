import type { TestProject } from "vitest/node"
import { startPostgres } from "./postgresServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A server on which tests may create databases: `TEST_DATABASE_URL`, else one that lives as long as the run. */
    readonly postgresUrl: string
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env["TEST_DATABASE_URL"]
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given)
    return undefined
  }
  const server = await startPostgres()
  project.provide("postgresUrl", server.url)
  return server.stop
}
