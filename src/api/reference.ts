import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { gzipSync } from "node:zlib"
import { Admission } from "./admission.ts"
import { Api } from "./contract/Api.ts"

/** Its script is inline; it may ask this server only, and no page may frame it. */
const HEADERS = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer"
}

/**
 * What a stranger gets at `/docs`: a few lines, which ask for the reference with the token that the tab has from the page, or
 * from the person. It then takes the place of this document, so that what this one may do is all that it may do.
 */
const DOOR = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>AI Mint Executor: API</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}button{font:inherit;margin-top:.6rem;padding:.4rem 1rem}</style></head>
<body>
<h1>The API of this executor</h1>
<p id="said" role="status">Loading the reference…</p>
<form id="ask" hidden><label for="token">OPS_TOKEN</label><input id="token" type="password" autocomplete="off"><button>Show</button></form>
<p><a href="/openapi.json">As an OpenAPI document</a></p>
<script>
const key = "ai-mint-token"
const say = (text) => { document.getElementById("said").textContent = text }
const show = async () => {
  const token = sessionStorage.getItem(key)
  const headers = token === null ? {} : { authorization: "Bearer " + token }
  const response = await fetch("/api/reference", { headers, redirect: "error" }).catch(() => undefined)
  if (response === undefined) return say("The executor does not answer.")
  if (response.ok) {
    const page = await response.text()
    document.open(); document.write(page); document.close()
    return
  }
  const problem = await response.json().catch(() => ({}))
  if (response.status !== 401) return say(problem.detail || "The executor answered " + response.status + ".")
  say(token === null ? "The executor asks for its token." : "This token is not the right one.")
  document.getElementById("ask").hidden = false
}
document.getElementById("ask").addEventListener("submit", (event) => {
  event.preventDefault()
  const typed = document.getElementById("token").value.trim()
  if (!/^[\\x21-\\x7e]+$/.test(typed)) return say("This token is not the right one.")
  sessionStorage.setItem(key, typed)
  show()
})
show()
</script>
</body></html>
`

const PATH = "/reference"

/** Three megabytes, most of them the script that shows it: made at the first question, and kept. */
const makeReference = Effect.gen(function* () {
  const scalar = yield* HttpRouter.toHttpEffect(
    HttpApiScalar.layer(Api, { path: PATH, scalar: { withDefaultFonts: false } })
  )
  const request = HttpServerRequest.fromWeb(new Request(`http://localhost${PATH}`))
  const answer = yield* Effect.provideService(scalar, HttpServerRequest.HttpServerRequest, request)
  const html = yield* Effect.promise(() => HttpServerResponse.toWeb(answer).text())
  return { html, gzip: gzipSync(html) }
}).pipe(Effect.scoped, Effect.orDie)

const TYPE = "text/html; charset=utf-8"

const BEARER = /^Bearer (\S+)$/i

/** The reference of the API, to read and to try: for who has the token, as the API itself. */
export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const { admit } = yield* Admission
    const made = yield* Effect.cached(makeReference)
    yield* router.add(
      "GET",
      "/api/reference",
      Effect.gen(function* () {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        yield* admit("ops", BEARER.exec(headers["authorization"] ?? "")?.[1] ?? "")
        const { html, gzip } = yield* made
        const isGzip = /\bgzip\b/.test(headers["accept-encoding"] ?? "")
        const own = { ...HEADERS, vary: "accept-encoding", ...(isGzip ? { "content-encoding": "gzip" } : {}) }
        return isGzip
          ? HttpServerResponse.uint8Array(gzip, { contentType: TYPE, headers: own })
          : HttpServerResponse.text(html, { contentType: TYPE, headers: own })
      }).pipe(
        Effect.catch(({ type, status, title, detail }) =>
          Effect.succeed(
            ProblemDetails.toResponse({ type, status, title, ...(detail === undefined ? {} : { detail }) })
          )
        )
      )
    )
    yield* router.add(
      "GET",
      "/docs",
      Effect.succeed(HttpServerResponse.text(DOOR, { contentType: TYPE, headers: HEADERS }))
    )
  })
)
