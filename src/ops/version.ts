import { createRequire } from "node:module"

/** The version in `package.json`, which lies two folders above this file, in `src` and in `dist` alike. */
export const version: string = createRequire(import.meta.url)("../../package.json").version
