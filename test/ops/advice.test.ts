import { assert, describe, it } from "@effect/vitest"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { databaseAdvice, fatalMessage } from "../../src/ops/advice.ts"
import { LedgerError } from "../../src/ledger/TaskRepo.ts"

const operation = "bring the database of DATABASE_URL up to date"

const ledger = (detail: string): string => fatalMessage(new LedgerError({ reason: "Unavailable", operation, detail }))

describe("a start that could not go on", () => {
  for (const [detail, begins] of [
    ['AuthenticationError 28P01 password authentication failed for user "x"', "The database refuses the password of"],
    [
      "AuthenticationError 28000 no pg_hba.conf entry for host",
      "The database does not let the user of DATABASE_URL in"
    ],
    ['UnknownError 3D000 database "mints" does not exist', "The database that DATABASE_URL names does not exist"],
    [
      "ConnectionError ECONNREFUSED connect ECONNREFUSED 127.0.0.1:5432",
      "No database listens where DATABASE_URL leads"
    ],
    ["ConnectionError ENOTFOUND getaddrinfo ENOTFOUND db", "The host of DATABASE_URL is not known here"],
    ["ConnectionError DEPTH_ZERO_SELF_SIGNED_CERT self-signed certificate", "The certificate of the database cannot"],
    ["AuthorizationError 42501 permission denied for schema public", "The user of DATABASE_URL lacks a right"],
    ["ConnectionError 57P03 the database system is starting up", "The database is starting up or shutting down"],
    [
      "ConnectionError Message length 1414811695 exceeds maxMessageSize 16777216",
      "What answers where DATABASE_URL leads"
    ],
    ["SqlSyntaxError 42601 syntax error at 28P01", "The database does not do what is needed: run ai-mint doctor."]
  ] as const)
    it(`says first what to do about: ${detail}`, () => {
      const words = ledger(detail)
      assert.isTrue(words.startsWith(begins), words)
      assert.isTrue(words.endsWith(`AI Mint Executor cannot go on (${operation}: Unavailable (${detail}))`), words)
    })

  it("names the nodes where none answers, and says any other reason as it is", () => {
    const fault = { operation: "ask the nodes of BASE_RPC_URL", detail: "rpc.example.com: Unavailable (fetch failed)" }
    assert.match(
      fatalMessage(new ChainError({ reason: "Unavailable", ...fault })),
      /^No node of the RPC URLs answers: put nodes there .* \(ask the nodes of BASE_RPC_URL: /
    )
    assert.strictEqual(fatalMessage({ message: "no" }), "AI Mint Executor cannot go on: no")
  })

  it("takes no word of a message for a code", () => {
    assert.isUndefined(databaseAdvice("UnknownError XX000 something with 28P01 in it"))
    assert.isUndefined(databaseAdvice("no answer within 15s (DATABASE_TIMEOUT)"))
  })
})
