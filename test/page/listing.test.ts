import { assert, describe, it } from "@effect/vitest"
import * as listing from "../../src/page/listing.ts"

const ADDRESS = `0x${"ab".repeat(20)}`
const TX = `0x${"cd".repeat(32)}`

const query = (of: listing.Listing) => new URL(listing.pathOfListing(of), "http://executor").searchParams

describe("the list that an address names", () => {
  it("goes to and fro", () => {
    const all = {
      find: TX,
      status: "failed",
      user: ADDRESS,
      token: ADDRESS,
      from: "2026-11-01",
      to: "2026-11-28",
      after: "1_a"
    }
    assert.deepStrictEqual(listing.listingOfHash(listing.hashOfListing(all)), all)
    assert.strictEqual(listing.hashOfListing({}), "")
    assert.deepStrictEqual(listing.listingOfHash(""), {})
    assert.deepStrictEqual(listing.listingOfHash("#closed="), {})
  })

  it("stays as it is where the address is of an order, or of a place on the page", () => {
    assert.isUndefined(listing.listingOfHash("#task=abc12345"))
    assert.isUndefined(listing.listingOfHash("#main"))
  })

  it("is narrowed by nothing that a field cannot hold", () => {
    const wrong = `#find=${ADDRESS}0&status=all&user=0x1&token=${TX}&from=2026-13-01&to=1969-01-01&after=${"a".repeat(81)}&x=1`
    assert.deepStrictEqual(listing.listingOfHash(wrong), {})
  })

  it("begins anew when it is narrowed", () => {
    const narrowed = listing.withFields({ status: "failed", user: ADDRESS, after: "1_a" }, { user: "", token: ADDRESS })
    assert.deepStrictEqual(narrowed, { status: "failed", token: ADDRESS })
  })
})

describe("what the executor is asked for", () => {
  it("is what is closed, or all that has to do with what was searched for", () => {
    assert.strictEqual(query({}).get("status"), "completed,failed,cancelled")
    assert.strictEqual(query({ status: "failed" }).get("status"), "failed")
    assert.deepStrictEqual([query({ find: TX }).get("tx"), query({ find: TX }).get("status")], [TX, null])
    assert.strictEqual(query({ find: ADDRESS }).get("wallet"), ADDRESS)
    assert.strictEqual(query({ find: ADDRESS, after: "1_a" }).get("cursor"), "1_a")
  })

  it("has the last day in it, by the reader's clock", () => {
    const asked = query({ from: "2026-11-28", to: "2026-11-28" })
    assert.strictEqual(asked.get("from"), new Date(2026, 10, 28).toISOString())
    assert.strictEqual(asked.get("to"), new Date(2026, 10, 29).toISOString())
  })
})
