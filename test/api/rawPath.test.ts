import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { isPlainTarget } from "../../src/api/rawPath.ts"

describe("the path of a request, as it came", () => {
  it.each([
    "/",
    "*",
    "/api/overview",
    "/api/tasks/",
    "/api/tasks?status=failed;x&y=a//b/../c\\d%2f",
    "/api/tasks/abcdef01/explain",
    "/api/tasks/n%C3%A4chste%20",
    "/api/wallets/0xAbC:@!$&'()*+,=",
    "http://127.0.0.1:4022/api/tasks?x=1",
    "http://127.0.0.1:4022",
    "/.well-known/x",
    "/a..b/..."
  ])("%s is taken", (target) => {
    assert.isTrue(isPlainTarget(target))
  })

  it.each([
    "/api/overview;/../ai-agent/task/x",
    "/api/overview;",
    "/api/overview#/../ai-agent/task/x",
    "/api/tasks?x#y",
    "//evil.example/api/tasks",
    "/api//tasks",
    "/api/tasks//",
    "/api\\overview",
    "/api/ai-agent/../overview",
    "/api/ai-agent/./task/x",
    "/..",
    "/api/.",
    "/api/ai-agent/%2e%2e/overview",
    "/api/ai-agent/.%2E/overview",
    "/api%2foverview",
    "/api%5Coverview",
    "/api/overview%3bx",
    "/api/overview%23",
    "/api/overview%3Fx",
    "/api/ai-agent/%252e%252e/overview",
    "/%61pi/overview",
    "/api/overvie%77",
    "/api/tasks/%00",
    "/api/tasks/%0d%0aX:%20y",
    "/api/tasks/%c2%85",
    "/api/tasks/%ff",
    "/api/tasks/%c0%af",
    "/api/tasks/%zz",
    "/api/tasks/%",
    "/api/tasks/a b",
    "/api/tasks/ä",
    "/api/tasks/a|b",
    "api/tasks",
    "",
    "http://x/api/ai-agent/../overview",
    "http://x\\@y/api/overview",
    "http://x#/api"
  ])("%s is refused", (target) => {
    assert.isFalse(isPlainTarget(target))
  })
})

describe("the documented proxy", () => {
  it("passes on no path as its client wrote it", () => {
    const text = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8")
    const passed = [...text.matchAll(/^ *proxy_pass (http:\S+);$/gm)].map(([, to = ""]) => to)
    assert.isAbove(passed.length, 2)
    // With nothing behind the port nginx hands on the client's own spelling, which it has not compared.
    for (const to of passed) assert.match(to, /^http:\/\/[\d.]+:\d+\//)
    assert.notMatch(text, /\$(?:request_uri|uri)/)
  })
})
