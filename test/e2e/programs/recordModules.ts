import { appendFileSync } from "node:fs"
import { registerHooks } from "node:module"

/** Writes down which modules of Effect's cluster a process loads: `NODE_OPTIONS=--import=…`, the file in `MODULES`. */
registerHooks({
  load: (url, context, next) => {
    if (/\/effect\/(?:src|dist)\/cluster\//.test(url)) appendFileSync(process.env["MODULES"] ?? "", `${url}\n`)
    return next(url, context)
  }
})
