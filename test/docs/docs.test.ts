import { assert, describe, it } from "@effect/vitest"
import { faultOf, type Given, mentionsIn, mentionsInSource, variantsOf } from "./commands.ts"
import { type Lie, parseLines, parseMarkdown, tellLie } from "./Doc.ts"
import * as Mentions from "./mentions.ts"

const FILES: Readonly<Record<string, string>> = {
  "docs/design.md": "# Design\n\n## Two clocks, and why\n",
  "src/domain/Batch.ts": ""
}

const facts: Mentions.Facts = {
  exists: (path) => path in FILES || Object.keys(FILES).some((file) => file.startsWith(path)),
  read: (path) => FILES[path],
  scripts: new Set(["demo"]),
  settings: new Set(["OPS_TOKEN"]),
  code: 'const BATCH_ARROWS = {}; gauge("ai_mint_outage")',
  said: "the block ${n} is very old",
  alerts: new Set(["AiMintDown"])
}

const given: Given = { pending: "aaaaaaaa", completed: "cccccccc", wallet: "0xw", user: "0xu", token: "0xt" }

const doc = (text: string) => parseMarkdown("docs/page.md", text)
const told = (lies: ReadonlyArray<Lie>) => lies.map(tellLie)
const typed = (text: string) =>
  mentionsIn(doc(text)).flatMap((mention) => variantsOf(mention, given).map((argv) => argv.join(" ")))

describe("a planted lie is found, and what is so is not", () => {
  it("in links and their headings", () => {
    const text =
      "[a](design.md) [b](design.md#two-clocks-and-why) [c](https://x.org)\n[d](desing.md) [e](design.md#clocks)"
    assert.deepStrictEqual(told(Mentions.wrongLinks(doc(text), facts)), [
      "docs/page.md:2: the link leads to docs/desing.md, which is not there",
      "docs/page.md:2: docs/design.md has no heading #clocks"
    ])
  })

  it("in paths", () => {
    const text = "`domain/Batch.ts`, `src/domain/`, `dist/main.js`\n`domain/Bach.ts`"
    assert.deepStrictEqual(told(Mentions.wrongPaths(doc(text), facts)), ["docs/page.md:2: there is no domain/Bach.ts"])
  })

  it("in scripts, settings, alerts and metrics", () => {
    const text =
      "npm run demo, npm run -s demos, OPS_TOKEN, OPS_TOKENS, BATCH_ARROWS, AiMintDown, AiMintUp\nai_mint_outage, ai_mint_outages"
    assert.deepStrictEqual(told(Mentions.wrongScripts(doc(text), facts)), [
      "docs/page.md:1: package.json has no script demos"
    ])
    assert.deepStrictEqual(told(Mentions.wrongSettings(doc(text), facts)), [
      "docs/page.md:1: OPS_TOKENS is no setting of .env.example"
    ])
    assert.deepStrictEqual(told(Mentions.wrongAlerts(doc(text), facts)), [
      "docs/page.md:1: docs/monitoring/alerts.yml has no rule AiMintUp"
    ])
    assert.deepStrictEqual(told(Mentions.wrongMetrics(doc(text), new Set(["ai_mint_outage"]))), [
      "docs/page.md:2: there is no metric ai_mint_outages"
    ])
    assert.deepStrictEqual(told(Mentions.untoldAlerts(doc(text), facts)), [
      "docs/page.md:1: it does not say what to do at AiMintDown"
    ])
  })

  it("in quotes of what the program says", () => {
    const text = "`the block … is old` `cancel <task> --why x`\n`the block … is new`, `that block … is old`"
    assert.deepStrictEqual(told(Mentions.wrongQuotes(doc(text), facts)), ['docs/page.md:2: nothing says "that block"'])
  })

  it("in the names of tables", () => {
    const names = new Set(["ai_agent_tasks"])
    assert.deepStrictEqual(told(Mentions.wrongTables(doc("`ai_agent_tasks`, `ai_agent_…`\n`ai_agent_task`"), names)), [
      "docs/page.md:2: the database has no ai_agent_task"
    ])
  })

  it("in packages and their versions", () => {
    const text = "| `effect` 4.1.0 |\n| `viem` 2.0.0 |"
    assert.deepStrictEqual(
      told(Mentions.wrongPackages(doc(text), { effect: "4.1.0", viem: "2.57.20", pm2: "7.0.4" })),
      ["docs/page.md:1: pm2 is not named", "docs/page.md:2: viem is 2.57.20, and not 2.0.0"]
    )
  })

  it("in requests, whole and over two lines", () => {
    const routes = { "/api/tasks/{task}/cancel": { post: {} }, "/api/tasks": { get: {} } }
    const text = [
      "```sh",
      "curl http://127.0.0.1:4022/api/tasks?limit=2",
      "curl http://127.0.0.1:4022/metrics",
      "curl http://127.0.0.1:4022/api/task",
      "curl -H x \\",
      `  -d '{"why":"x"}' http://127.0.0.1:4022/api/tasks/abc12345/cancel`,
      "curl http://127.0.0.1:4022/api/tasks/abc12345/cancel",
      "```"
    ].join("\n")
    assert.deepStrictEqual(told(Mentions.wrongRequests(doc(text), routes)), [
      "docs/page.md:4: the API has no GET /api/task",
      "docs/page.md:7: the API has no GET /api/tasks/abc12345/cancel"
    ])
  })
})

describe("what is to be run is found", () => {
  it("statements of SQL, each in its place", () => {
    const text =
      "```sql\n-- all\nSELECT 1\nFROM a; -- one\n\nSELECT 2;\n```\n`DELETE FROM ai_agent_events WHERE id < 1`"
    assert.deepStrictEqual(
      Mentions.statementsIn(doc(text)).map(({ line, text: sql }) => [line, sql]),
      [
        [3, "SELECT 1\nFROM a"],
        [6, "SELECT 2"],
        [8, "DELETE FROM ai_agent_events WHERE id < 1"]
      ]
    )
  })

  it("commands, with placeholders filled in, each alternative and what is optional", () => {
    const text = [
      "```sh",
      'npm run -s ai-mint -- cancel abc12345 --why "late"   # a comment',
      "ai-mint watch --json | jq .",
      "ls",
      "```",
      '`ai-mint resolve <task> --as delivered\\|failed --why "…"`, `pause [--token 0x…] --why "…"`, `ai-mint <command>`'
    ].join("\n")
    assert.deepStrictEqual(typed(text), [
      "cancel aaaaaaaa --why late",
      "watch --json",
      "resolve cccccccc --as delivered --why docs:check",
      "resolve cccccccc --as failed --why docs:check",
      "pause --token 0xt --why docs:check",
      "pause --why docs:check"
    ])
  })

  it("a page must show the whole command, a sentence may leave the reason out", () => {
    assert.deepStrictEqual(typed("`ai-mint retry abc12345`"), ["retry cccccccc"])
    assert.deepStrictEqual(typed("`retry <task>`"), ["retry cccccccc --why docs:check"])
    const alert = mentionsIn(parseLines("alerts.yml", "run `ai-mint resolve --wallet <wallet>`"))
    assert.deepStrictEqual(
      alert.flatMap((mention) => variantsOf(mention, given)),
      [["resolve", "--wallet", "0xw", "--why", "docs:check"]]
    )
  })

  it("commands in the texts of programs, as far as they go", () => {
    const source = [
      'remedy: "ai-mint tasks list --held tells which and why; ai-mint migrate does them."',
      'next(`x`, [`retry ${shortId(task.id)} --why "…"`, `wallets show ${wallet.agentAddress}`])',
      "`ai-mint refund sends it back`",
      "`ai-mint frobnicate it`"
    ].join("\n")
    const found = mentionsInSource("src/a.ts", source)
    assert.deepStrictEqual(
      found.flatMap((mention) => variantsOf(mention, given).map((argv) => `${mention.line}: ${argv.join(" ")}`)),
      [
        "1: tasks list --held",
        "1: migrate",
        "2: retry cccccccc --why docs:check",
        "2: wallets show 0xw",
        "3: refund 0xw",
        "4: frobnicate"
      ]
    )
  })

  it("a command must be done, or refused in words", () => {
    assert.isUndefined(faultOf({ code: 0, out: "done", err: "" }))
    assert.isUndefined(faultOf({ code: 1, out: "", err: "❌ Task x is completed" }))
    assert.strictEqual(faultOf({ code: 1, out: "", err: "" }), "it ends with code 1 and no word")
    assert.strictEqual(faultOf({ code: 2, out: "", err: "Missing flag" }), "it ends with code 2: Missing flag")
    assert.strictEqual(faultOf({ code: 1, out: "", err: "🚨 ended in a defect" }), "🚨 ended in a defect")
    assert.strictEqual(faultOf({ code: 78, out: "", err: "no settings" }), "it ends with code 78: no settings")
  })
})
