import { PGlite } from "@electric-sql/pglite"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import { startPostgres } from "./postgresServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A server on which tests may create databases: `TEST_DATABASE_URL`, else one that lives as long as the run. */
    readonly postgresUrl: string
    /** The path of a packed, empty embedded database. */
    readonly pgliteTemplate: string
  }
}

const offerPostgres = async (project: TestProject): Promise<() => Promise<void>> => {
  const given = process.env["TEST_DATABASE_URL"]
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given)
    return () => Promise.resolve()
  }
  const server = await startPostgres()
  project.provide("postgresUrl", server.url)
  return server.stop
}

const packPglite = async (project: TestProject): Promise<() => Promise<void>> => {
  const folder = await mkdtemp(join(tmpdir(), "ai-mint-pglite-"))
  const path = join(folder, "empty.tar")
  const database = await PGlite.create()
  await writeFile(path, (await database.dumpDataDir("none")).stream())
  await database.close()
  project.provide("pgliteTemplate", path)
  return () => rm(folder, { recursive: true, force: true })
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const endings = await Promise.all([offerPostgres(project), packPglite(project)])
  return async () => {
    await Promise.all(endings.map((end) => end()))
  }
}
