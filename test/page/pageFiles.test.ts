import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { gunzipSync } from "node:zlib"
import { pageHeaders, readPageFiles } from "../../src/api/pageFiles.ts"

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8")

describe("the files of the page", () => {
  it.effect("are what the page asks for, and no other file of its folder", () =>
    Effect.gen(function* () {
      const files = yield* readPageFiles
      const html = text(files.get("/")?.body ?? new Uint8Array())
      const asked = [...html.matchAll(/(?:href|src)="(\/page\/[^"]+)"/g)].map(([, path = ""]) => path)
      assert.includeMembers(asked, ["/page/page.css", "/page/main.js", "/page/icon.svg"])
      for (const path of asked) assert.isTrue(files.has(path), path)
      assert.deepStrictEqual(
        [...files.keys()].filter((path) => path !== "/" && !/^\/page\/[\w/]+\.(js|css|svg)$/.test(path)),
        []
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("are JavaScript that imports nothing but other files of the page", () =>
    Effect.gen(function* () {
      const files = yield* readPageFiles
      for (const [path, { body }] of files) {
        if (!path.endsWith(".js")) continue
        for (const [, from = ""] of text(body).matchAll(/^(?:import|\} from|export .* from)\b[^"\n]*"([^"]+)"/gm)) {
          const to = new URL(from, `http://page${path}`).pathname
          assert.isTrue(files.has(to), `${path} imports ${from}`)
        }
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("come packed as well, with a tag of their own and no word from Node about it", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const hear = (warning: Error): void => void heard.push(warning.message)
      process.on("warning", hear)
      const files = yield* readPageFiles
      yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
      process.off("warning", hear)
      assert.deepStrictEqual(heard, [])
      const tags = [...files.values()].map(({ etag }) => etag)
      assert.strictEqual(new Set(tags).size, files.size)
      for (const { body, gzip } of files.values()) assert.strictEqual(text(gunzipSync(gzip)), text(body))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("have no style and no script of their own in the HTML, which the policy would refuse", () =>
    Effect.gen(function* () {
      const html = text((yield* readPageFiles).get("/")?.body ?? new Uint8Array())
      assert.notMatch(html, /\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)/)
      assert.match(pageHeaders["content-security-policy"] ?? "", /^default-src 'none'; script-src 'self';/)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
