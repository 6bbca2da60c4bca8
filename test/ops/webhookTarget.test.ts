import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CurrentLookUp, isPublic, resolveTarget } from "../../src/ops/webhookTarget.ts"

const PUBLIC = { isLocal: false }

const found = (url: string, addresses: ReadonlyArray<string>) =>
  Effect.provideService(Effect.result(resolveTarget(url, PUBLIC)), CurrentLookUp, async () => addresses)

const INSIDE: ReadonlyArray<string> = [
  "0.0.0.0",
  "10.0.0.5",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.170",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.1.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "3fff::1",
  "5f00::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "example.com",
  ""
]

const OUTSIDE: ReadonlyArray<string> = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]

describe("where a webhook may lead", () => {
  it.each(INSIDE)("not to %s", (address) => {
    assert.isFalse(isPublic(address))
  })

  it.each(OUTSIDE)("to %s", (address) => {
    assert.isTrue(isPublic(address))
  })

  it.effect("not where one of several addresses is inside", () =>
    Effect.gen(function* () {
      const result = yield* found("https://example.com/", ["8.8.8.8", "10.0.0.5"])
      assert.strictEqual(result._tag, "Failure")
      assert.deepInclude(yield* found("https://example.com/", ["8.8.8.8", "2606:4700::1111"]), { _tag: "Success" })
      assert.deepInclude(yield* found("https://example.com/", []), { _tag: "Failure" })
    })
  )

  // However an address is written: the URL Standard reads all of these as 127.0.0.1 or [::1], and the last ones are no URLs.
  it.effect.each([
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00::1]:8443/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    `https://example.com/${"x".repeat(2_000)}`,
    "example.com",
    ""
  ])("not to %s", (url) =>
    Effect.gen(function* () {
      assert.deepInclude(yield* found(url, ["8.8.8.8"]), { _tag: "Failure" })
    })
  )

  it.effect("on the local network to this machine, over HTTP too, but with no password", () =>
    Effect.gen(function* () {
      const local = { isLocal: true }
      const { address } = yield* resolveTarget("http://127.0.0.1:8080/hook", local)
      assert.strictEqual(address, "127.0.0.1")
      assert.include((yield* resolveTarget("http://localhost/", local)).address, "1")
      assert.deepInclude(yield* Effect.result(resolveTarget("http://a:b@127.0.0.1/", local)), { _tag: "Failure" })
    })
  )
})
