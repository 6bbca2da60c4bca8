import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { AUDIT, CHANGE, DECIDE, LOOK, LOOK_OR_DIRECT } from "../../src/cli/client/ExecutorClient.ts"
import { Refused, Unanswered } from "../../src/operator/Operator.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { straight, typed } from "./fakes.ts"
import { ADDRESS, explanationOf, ID, overviewOf, taskOf, walletOf } from "./words/given.ts"

const CANCELLED = { command: "cancel", taskId: ID, message: "Cancelled: so", credit: usdc(2_500_000n) } as const
const RECONCILED = {
  command: "reconcile",
  block: 664n,
  totals: {
    wallets: 1,
    payments: 1,
    unproven: 0,
    held: 0,
    deposits: 1,
    uncounted: 0,
    earlierDeposits: 0,
    newer: 0,
    mints: 5,
    unseenMints: 0,
    beforeBooks: 0
  },
  differences: []
} as const
const REFUND = {
  command: "refund",
  wallet: ADDRESS,
  to: ADDRESS,
  balance: usdc(1n),
  reserved: usdc(0n),
  free: usdc(1n),
  unspentDeposits: usdc(1n),
  amount: usdc(1n),
  gasAccount: undefined,
  gasBalance: 0n,
  against: [] as ReadonlyArray<string>,
  warnings: [],
  refundId: undefined
} as const
const PAUSED = { command: "pause", scope: "all", did: true, pauses: [] } as const

const WHY = ["--why", "so"] as const

describe("ai-mint", () => {
  layer(NodeServices.layer)((it) => {
    it.effect.each([
      [["status"], "control.overview", overviewOf(), undefined, LOOK_OR_DIRECT],
      [["tasks", "show", "abc12345"], "tasks.show", taskOf(), { params: { task: "abc12345" } }, LOOK_OR_DIRECT],
      [
        ["tasks", "explain", "abc12345"],
        "tasks.explain",
        explanationOf(),
        { params: { task: "abc12345" } },
        LOOK_OR_DIRECT
      ],
      [["explain", "abc12345"], "tasks.explain", explanationOf(), { params: { task: "abc12345" } }, LOOK_OR_DIRECT],
      [["wallets", "show", ADDRESS], "wallets.show", walletOf(), { params: { wallet: ADDRESS } }, LOOK_OR_DIRECT],
      [["pauses"], "control.pauses", { ...PAUSED, command: "pauses" }, undefined, LOOK],
      [["pause", ...WHY], "control.pause", PAUSED, { payload: { why: "so" } }, CHANGE],
      [
        ["resume", "--token", ADDRESS, ...WHY],
        "control.resume",
        PAUSED,
        { payload: { why: "so", token: ADDRESS } },
        CHANGE
      ],
      [["pause", "--wallet", "w", ...WHY], "control.pause", PAUSED, { payload: { why: "so", wallet: "w" } }, CHANGE],
      [
        ["tasks", "list", "--status", "funded,failed", "--held", "--limit", "5", "--user", ADDRESS, "--cursor", "1_a"],
        "tasks.list",
        { tasks: [taskOf()], next: undefined },
        { query: { status: "funded,failed", held: "true", limit: 5, user: ADDRESS, cursor: "1_a" } },
        LOOK_OR_DIRECT
      ],
      [
        ["tasks", "list", "--tx", `0x${"1".repeat(64)}`, "--from", "2026-11-01", "--to", "2026-11-28T12:00:00Z"],
        "tasks.list",
        { tasks: [taskOf()], next: undefined },
        { query: { tx: `0x${"1".repeat(64)}`, from: "2026-11-01", to: "2026-11-28T12:00:00Z" } },
        LOOK_OR_DIRECT
      ],
      [
        ["tasks", "create", "--user", ADDRESS, "--token", ADDRESS, "--quantity", "3", "--price", "1.5", "--id", ID],
        "tasks.create",
        {
          command: "create",
          taskId: ID,
          isNew: true,
          agentAddress: ADDRESS,
          totalCost: usdc(3n),
          pricePerMint: usdc(1n),
          quantity: 3,
          paymentState: "unpaid",
          nextAction: "pay",
          amountDue: usdc(3n),
          payTo: ADDRESS,
          payBy: 0,
          checkAgainAfterSeconds: 6
        },
        {
          payload: { userAddress: ADDRESS, tokenAddress: ADDRESS, quantity: 3, pricePerMint: usdc(1_500_000n), id: ID }
        },
        CHANGE
      ],
      [["cancel", ID, ...WHY], "tasks.cancel", CANCELLED, { params: { task: ID }, payload: { why: "so" } }, DECIDE],
      [
        ["tasks", "cancel", ID, ...WHY],
        "tasks.cancel",
        CANCELLED,
        { params: { task: ID }, payload: { why: "so" } },
        DECIDE
      ],
      [
        ["retry", ID, ...WHY],
        "tasks.retry",
        { command: "retry", taskId: ID, did: "funded", mints: 3, cost: usdc(3n) },
        { params: { task: ID }, payload: { why: "so" } },
        DECIDE
      ],
      [
        ["adopt", ID, "--mints", "7", ...WHY],
        "tasks.adopt",
        { command: "adopt", taskId: ID, delivered: 7, mints: 3, cost: usdc(3n), paid: usdc(7n) },
        { params: { task: ID }, payload: { why: "so", mints: 7 } },
        DECIDE
      ],
      [
        ["resolve", ID, "--as", "delivered", "--batch", "2", ...WHY],
        "tasks.resolve",
        {
          command: "resolve",
          taskId: ID,
          batch: 2,
          as: "delivered",
          minted: 10,
          onChain: 10,
          quantity: 10,
          replacement: undefined,
          setAside: 0,
          failed: false
        },
        { params: { task: ID }, payload: { why: "so", as: "delivered", batch: 2 } },
        DECIDE
      ],
      [
        ["resolve", "--wallet", ADDRESS, ...WHY],
        "wallets.resolve",
        { command: "resolve", walletId: ID, wallet: ADDRESS, stopped: "theft", balance: usdc(1n), block: 1n },
        { params: { wallet: ADDRESS }, payload: { why: "so" } },
        DECIDE
      ],
      [
        ["refund", ADDRESS, "--to", ADDRESS, "--amount", "2.5", "--confirm", ...WHY],
        "wallets.refund",
        REFUND,
        { params: { wallet: ADDRESS }, payload: { confirm: true, amount: usdc(2_500_000n), to: ADDRESS, why: "so" } },
        DECIDE
      ],
      [["reconcile"], "control.reconcile", RECONCILED, undefined, AUDIT]
    ] as const)("asks the executor: %j", ([args, about, answer, request, terms]) =>
      Effect.gen(function* () {
        const told = yield* typed(args, { [about]: answer })
        assert.deepStrictEqual([told.code, told.stderr], [0, ""])
        assert.deepStrictEqual(told.asked, [{ about, request }])
        assert.deepStrictEqual(told.terms, [terms])
        assert.notStrictEqual(told.stdout, "")
        const json = yield* typed([...args, "--json"], { [about]: answer })
        assert.strictEqual(json.code, 0)
        assert.isObject(JSON.parse(json.stdout))
      })
    )

    it.effect("prints the same JSON for a decision, whichever way it was carried out", () =>
      Effect.gen(function* () {
        const through = yield* typed(["cancel", ID, ...WHY, "--json"], { "tasks.cancel": CANCELLED })
        const direct = yield* typed(["cancel", ID, ...WHY, "--json", "--direct"], {}, { direct: straight(CANCELLED) })
        assert.deepStrictEqual(direct.asked, [])
        assert.strictEqual(through.stdout, direct.stdout)
        const report = { command: "cancel", taskId: ID, message: "Cancelled: so", credit: "2500000" }
        assert.deepStrictEqual(JSON.parse(through.stdout), report)
      })
    )

    for (const [args, about, answer] of [
      [["explain", ID], "tasks.explain", explanationOf()],
      [["tasks", "show", ID], "tasks.show", taskOf()],
      [["tasks", "list"], "tasks.list", { tasks: [taskOf()], next: undefined }],
      [["status"], "control.overview", overviewOf()]
    ] as const)
      it.effect(`prints the same for ${args[0]} ${args[1] ?? ""}, whichever way it was looked up`, () =>
        Effect.gen(function* () {
          const through = yield* typed(args, { [about]: answer })
          const direct = yield* typed([...args, "--direct"], {}, { direct: straight(answer) })
          assert.deepStrictEqual([direct.code, direct.asked], [0, []])
          // Of a status, what is said of the executor itself is left out.
          const same = (text: string) => (args[0] === "status" ? text.slice(text.indexOf("\n\n")) : text)
          assert.strictEqual(same(direct.stdout), same(through.stdout))
          assert.strictEqual(direct.stderr !== "", args[0] === "status", "that it is not the executor's is said")
        })
      )

    it.effect("prints what the executor answers as the API has it: times as text, what is not known as null", () =>
      Effect.gen(function* () {
        const { stdout } = yield* typed(["tasks", "show", ID, "--json"], { "tasks.show": taskOf() })
        assert.deepInclude(JSON.parse(stdout), {
          createdAt: "2026-11-28T11:57:45.000Z",
          totalCost: "10000000",
          fundingTx: null
        })
      })
    )

    it.effect("ends with 1 where the executor refuses, and says why", () =>
      Effect.gen(function* () {
        const refusal = new Refused({ message: "Task abc has ended already: it is completed." })
        const told = yield* typed(["cancel", "abc", ...WHY], { "tasks.cancel": Effect.fail(refusal) })
        assert.deepInclude(told, { code: 1, stdout: "", stderr: "❌ Task abc has ended already: it is completed." })
      })
    )

    it.effect("ends with 2 where the executor does not understand", () =>
      Effect.gen(function* () {
        const bad = new Unanswered({ reason: "BadRequest", message: "This cannot be asked" })
        assert.strictEqual((yield* typed(["retry", "abc", ...WHY], { "tasks.retry": Effect.fail(bad) })).code, 2)
      })
    )

    it.effect("ends with 1 at any difference, and where something is against a refund", () =>
      Effect.gen(function* () {
        const differences = [{ wallet: ADDRESS, what: "1.00 USDC went to nobody" }]
        const uneven = yield* typed(["reconcile"], { "control.reconcile": { ...RECONCILED, differences } })
        assert.strictEqual(uneven.code, 1)
        assert.include(uneven.stdout, `❌ ${ADDRESS}: 1.00 USDC went to nobody`)
        const hindered = yield* typed(["refund", ADDRESS], { "wallets.refund": { ...REFUND, against: ["no gas"] } })
        assert.deepStrictEqual([hindered.code, hindered.stderr], [1, ""])
      })
    )

    it.effect("tells where the next page begins, and reads all of them where it is told to", () =>
      Effect.gen(function* () {
        const page = { tasks: [taskOf()], next: "5_b" }
        const one = yield* typed(["tasks", "list"], { "tasks.list": page })
        assert.strictEqual(one.stderr, "There are more. The next page: --cursor 5_b")
        assert.strictEqual((yield* typed(["tasks", "list", "--json"], { "tasks.list": page })).stderr, "")
        const pages = ({ query }: { readonly query: { readonly cursor?: string } }) =>
          query.cursor === undefined ? page : { tasks: [taskOf()], next: undefined }
        const all = yield* typed(["tasks", "list", "--all", "--json"], { "tasks.list": pages })
        assert.deepStrictEqual(
          all.asked.map(({ request }) => request),
          [{ query: { limit: 200 } }, { query: { limit: 200, cursor: "5_b" } }]
        )
        const { tasks, next } = JSON.parse(all.stdout) as {
          readonly tasks: ReadonlyArray<unknown>
          readonly next: null
        }
        assert.lengthOf(tasks, 2)
        assert.isNull(next)
      })
    )

    it.effect("looks for trouble with doctor, and ends with 1 where anything fails", () =>
      Effect.gen(function* () {
        const finding = (level: "warn" | "fail") =>
          ({ area: "chain", what: "gas", level, detail: "d", remedy: "r" }) as const
        const examine = (level: "warn" | "fail") =>
          Effect.succeed({ command: "doctor", findings: [finding(level)] } as const)
        assert.strictEqual((yield* typed(["doctor"], {}, { examine: examine("warn") })).code, 0)
        const ill = yield* typed(["doctor", "--json"], {}, { examine: examine("fail") })
        assert.strictEqual(ill.code, 1)
        assert.deepStrictEqual(JSON.parse(ill.stdout), { command: "doctor", findings: [finding("fail")] })
      })
    )

    it.effect("migrates, and ends with 1 where a newer program has been at the database", () =>
      Effect.gen(function* () {
        const options: Array<unknown> = []
        const migrate = (unknown: ReadonlyArray<string>) => (given: { readonly dryRun: boolean }) =>
          Effect.sync(() => {
            options.push(given)
            return {
              command: "migrate",
              applied: ["0001_a"],
              pending: ["0002_b"],
              unknown,
              did: !given.dryRun
            } as const
          })
        const told = yield* typed(["migrate", "--dry-run"], {}, { migrate: migrate([]) })
        assert.deepInclude(told, { code: 0, stderr: "" })
        assert.include(told.stdout, "0002_b to do")
        assert.strictEqual((yield* typed(["migrate"], {}, { migrate: migrate(["0009_z"]) })).code, 1)
        assert.deepStrictEqual(options, [{ dryRun: true }, { dryRun: false }])
      })
    )

    it.effect("has the person of the sandbox pay, and clears it", () =>
      Effect.gen(function* () {
        const payOrder = (taskId: string, amount: bigint | undefined) =>
          Effect.succeed({ command: "pay", taskId, agentAddress: ADDRESS, amount: amount ?? 7n } as const)
        const paid = yield* typed(["sandbox", "pay", ID, "--amount", "2.5", "--json"], {}, { payOrder })
        assert.deepInclude(JSON.parse(paid.stdout), { taskId: ID, amount: "2500000" })
        assert.include((yield* typed(["sandbox", "pay", ID], {}, { payOrder })).stdout, "0.000007 USDC are paid")
        const reset = yield* typed(["sandbox", "reset"], {}, { resetSandbox: Effect.succeed("🧹 Deleted") })
        assert.strictEqual(reset.stdout, "🧹 Deleted")
      })
    )

    it.effect.each([
      [["cancel", "abcd1234"], "Missing required flag: --why"],
      [["cancel", "abcd1234", "--why", " "], "a reason, in words"],
      [["resolve", "abcd1234", ...WHY], "Give a task with --as, or --wallet alone."],
      [["resolve", "abcd1234", "--direct", ...WHY], "Give a task with --as, or --wallet alone."],
      [["refund", "abcd1234", "--confirm"], "--confirm needs a reason"],
      [["refund", "abcd1234", "--confirm", ...WHY], "--confirm repeats the recipient and the amount"],
      [["refund", "abcd1234", "--to", "0x1"], "an address: 0x and 40 hex digits"],
      [["refund", "abcd1234", "--amount", "1.1234567"], "an amount of USDC like 2.5"],
      [["pause", "--token", ADDRESS, "--wallet", "w", ...WHY], "Give --token or --wallet, not both."],
      [["pause", "--token", "0x1", ...WHY], "an address: 0x and 40 hex digits"],
      [["tasks", "list", "--status", "open"], "statuses with commas between them"],
      [["tasks", "list", "--limit", "201"], "1 to 200"],
      [["tasks", "list", "--tx", ADDRESS], "a transaction: 0x and 64 hex digits"],
      [["tasks", "list", "--from", "yesterday"], "a time like 2026-11-28"],
      [["tasks", "create", "--user", ADDRESS, "--token", ADDRESS, "--quantity", "1", "--id", "1"], "a UUID"],
      [["watch", "--direct"], "--direct"],
      [["undo"], 'Unknown subcommand "undo"']
    ] as const)("does not take %j for a command, and ends with 2", ([args, words]) =>
      Effect.gen(function* () {
        const told = yield* typed(args)
        assert.deepStrictEqual([told.code, told.stdout, told.asked], [2, "", []])
        assert.include(told.stderr, words)
      })
    )

    it.effect("tells help, version and completions as the report that was asked for", () =>
      Effect.gen(function* () {
        const help = yield* typed(["tasks", "list", "--help"])
        assert.strictEqual(help.code, 0)
        assert.include(help.stdout, "ai-mint tasks list --held")
        assert.match((yield* typed(["--version"])).stdout, /^ai-mint v?\d+\.\d+\.\d+$/)
        for (const shell of ["bash", "zsh", "fish"]) {
          const script = yield* typed(["--completions", shell])
          assert.deepStrictEqual([script.code, script.stderr], [0, ""])
          assert.match(script.stdout, /reconcile/)
        }
      })
    )

    it.effect("has colours only for somebody's eyes", () =>
      Effect.gen(function* () {
        const answers = { "control.overview": overviewOf() }
        assert.notInclude((yield* typed(["status"], answers)).stdout, "\u001b[")
        assert.include((yield* typed(["status"], answers, {}, { colour: true })).stdout, "\u001b[")
        const json = yield* typed(["status", "--json"], answers, {}, { colour: true })
        assert.notInclude(json.stdout, "\u001b[")
      })
    )

    it.effect("never shows a stack", () =>
      Effect.gen(function* () {
        const broken = Effect.die(new Error("a fault\n    at somewhere"))
        const told = yield* typed(["status"], { "control.overview": broken })
        assert.deepInclude(told, { code: 1, stdout: "", stderr: "🚨 The command ended in a defect: Error: a fault" })
      })
    )
  })
})
