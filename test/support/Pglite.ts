import { Effect, Layer } from "effect"
import { openAsBlob } from "node:fs"
import { inject } from "vitest"
import * as Pglite from "../../src/sandbox/Pglite.ts"

/** An empty database in memory, like a new one, unpacked from the one that was made at the start of the run. */
export const layer = () =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => openAsBlob(inject("pgliteTemplate"))),
      (loadDataDir) => Pglite.layer({ loadDataDir })
    )
  )
