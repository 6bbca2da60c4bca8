import { createHash } from "node:crypto"
import type { DeliveryJson, KeyJson, WebhookJson } from "../../src/page/cards.ts"
import type { StatusJson } from "../../src/operator/reports/status.ts"
import type { ExplanationJson, TaskJson, TaskReportJson } from "../../src/operator/reports/tasks.ts"

/** ISO, so many seconds from now. */
export const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()

const hex = (seed: string, digits: number): string => createHash("sha256").update(seed).digest("hex").slice(0, digits)

export const hash = (seed: string): string => `0x${hex(`tx ${seed}`, 64)}`
export const account = (seed: string): string => `0x${hex(`account ${seed}`, 40)}`
export const taskId = (first: string): string => `${first}-1111-4222-8333-${hex(first, 12)}`

/** An order that waits for its money. */
export const task = (first: string, change: Partial<TaskJson> = {}): TaskJson => ({
  id: taskId(first),
  status: "pending_payment",
  held: null,
  userAddress: account(`user ${first}`),
  agentWalletId: taskId(`a${first.slice(1)}`),
  agentAddress: account(`agent ${first}`),
  tokenAddress: account("token"),
  quantity: 10,
  pricePerMint: "1000000",
  totalCost: "10000000",
  received: null,
  mintsCompleted: 0,
  mintsFailed: 0,
  retryCount: 0,
  errorMessage: null,
  fundingTx: null,
  createdAt: at(-135),
  deadline: at(465),
  fundedAt: null,
  startedAt: null,
  completedAt: null,
  nextActionAt: null,
  ...change
})

export const minting = (first: string, change: Partial<TaskJson> = {}): TaskJson =>
  task(first, {
    status: "processing",
    fundingTx: hash(first),
    fundedAt: at(-50),
    startedAt: at(-48),
    mintsCompleted: 4,
    ...change
  })

const OPEN: ReadonlyArray<TaskJson> = [
  task("1f0a77c2", { quantity: 3, totalCost: "3000000", createdAt: at(-12), deadline: at(588) }),
  task("9be41d03", { quantity: 250, totalCost: "1250000000", pricePerMint: "5000000" }),
  minting("5c2d9e10", { quantity: 25, totalCost: "25000000", mintsCompleted: 17 }),
  task("e07fb6aa", {
    status: "funded",
    quantity: 100,
    totalCost: "100000000",
    fundedAt: at(-4),
    fundingTx: hash("e0")
  }),
  task("77d1c0de", { quantity: 5, totalCost: "5000000", createdAt: at(-540), deadline: at(60) }),
  minting("42aa90f1", { quantity: 10, retryCount: 2, mintsCompleted: 0, errorMessage: "Retry 2/3: sold out" }),
  minting("b3319f58", {
    quantity: 40,
    totalCost: "40000000",
    mintsCompleted: 30,
    held: { reason: "batch 4 of this order: its nonce was cancelled", since: at(-3900) }
  })
]

const CLOSED_STATUSES = ["completed", "completed", "cancelled", "completed", "failed", "completed"] as const

/** So many closed orders of twenty people, one every ten minutes, the newest first. */
export const closed = (count: number): ReadonlyArray<TaskJson> =>
  Array.from({ length: count }, (_, n) => {
    const [status, first] = [CLOSED_STATUSES[n % 6] ?? "completed", hex(`closed ${n}`, 8)]
    const quantity = 1 + (n % 40)
    return task(first, {
      status,
      userAddress: account(`user ${n % 20}`),
      agentAddress: account(`agent ${n % 20}`),
      quantity,
      totalCost: String(quantity * 1_000_000),
      mintsCompleted: status === "completed" ? quantity : 0,
      errorMessage:
        status === "failed"
          ? "Exceeded retry limit after 3 attempts. Last error: the mint server answers 410: sold out"
          : status === "cancelled"
            ? "Payment timeout: No sufficient balance received within 10 minutes"
            : null,
      fundingTx: status === "cancelled" ? null : hash(`closed ${n}`),
      fundedAt: status === "cancelled" ? null : at(-590 - n * 600),
      createdAt: at(-600 - n * 600),
      deadline: at(-n * 600),
      startedAt: status === "cancelled" ? null : at(-590 - n * 600),
      completedAt: at(-570 - n * 600)
    })
  })

/** Keys of a shop and of an agent, one of them bound to a person and one revoked. */
export const KEYS: ReadonlyArray<KeyJson> = [
  {
    id: taskId("0cabba6e"),
    name: "old-shop",
    scopes: ["orders:read"],
    user: null,
    state: "revoked",
    createdAt: at(-9_000_000),
    createdBy: "alice with OPS_TOKEN from 10.0.0.7",
    expiresAt: null,
    revokedAt: at(-400_000)
  },
  {
    id: taskId("7e11a9d0"),
    name: "shop",
    scopes: ["orders:create", "orders:read", "orders:cancel"],
    user: null,
    state: "active",
    createdAt: at(-900_000),
    createdBy: "alice with OPS_TOKEN from 10.0.0.7",
    expiresAt: at(6_000_000),
    revokedAt: null
  },
  {
    id: taskId("5a9e47b1"),
    name: "agent-of-ann",
    scopes: ["orders:create", "orders:read"],
    user: account("user 3") as `0x${string}`,
    state: "active",
    createdAt: at(-3600),
    createdBy: "OPS_TOKEN from 127.0.0.1",
    expiresAt: null,
    revokedAt: null
  }
]

/** One that works, one that fails, one that has ended. */
export const WEBHOOKS: ReadonlyArray<WebhookJson> = [
  {
    id: taskId("aa10f2c4"),
    url: "https://shop.example.org/hooks/mint",
    events: ["order.completed", "order.failed", "order.cancelled"],
    user: null,
    createdAt: at(-800_000),
    oldSecretUntil: null,
    ended: null,
    waiting: 0,
    givenUp: 0,
    deliveredAt: at(-42)
  },
  {
    id: taskId("bb20f2c4"),
    url: "https://pager.example.net/v2/enqueue/d1b8f0b06a7b4f0cb4a9c6b7e4d7a2c1",
    events: ["attention.opened"],
    user: null,
    createdAt: at(-800_000),
    oldSecretUntil: null,
    ended: null,
    waiting: 2,
    givenUp: 1,
    deliveredAt: at(-90_000)
  },
  {
    id: taskId("cc30f2c4"),
    url: "https://gone.example.com/",
    events: ["order.completed"],
    user: account("user 3"),
    createdAt: at(-800_000),
    oldSecretUntil: null,
    ended: { at: at(-7200), reason: "it answered 410 Gone" },
    waiting: 0,
    givenUp: 0,
    deliveredAt: null
  }
]

const delivery = (first: string, change: Partial<DeliveryJson>): DeliveryJson => ({
  id: taskId(first),
  webhookId: taskId("bb20f2c4"),
  type: "attention.opened",
  state: "waiting",
  attempts: 3,
  createdAt: at(-2000),
  attemptedAt: at(-200),
  nextAt: at(1600),
  deliveredAt: null,
  lastStatus: 503,
  lastError: "it answered 503",
  ...change
})

export const DELIVERIES: ReadonlyArray<DeliveryJson> = [
  delivery("d1000001", {}),
  delivery("d1000002", { attempts: 0, attemptedAt: null, lastStatus: null, lastError: null, nextAt: at(1) }),
  delivery("d1000003", { state: "given_up", attempts: 10, nextAt: null, createdAt: at(-300_000) }),
  delivery("d1000004", { webhookId: taskId("cc30f2c4"), state: "given_up", attempts: 1, nextAt: null })
]

/** Limits of which little and much is left. */
export const LIMITS: StatusJson["limits"] = [
  {
    scope: "all",
    perDay: "5000000000",
    used: "1250500000",
    left: "3749500000",
    reason: "launch week",
    since: at(-90_000)
  },
  {
    scope: `token:${account("token")}`,
    perDay: "500000000",
    used: "487000000",
    left: "13000000",
    reason: "a new token",
    since: at(-9000)
  }
]

const READINESS: StatusJson["readiness"] = {
  ready: true,
  checkedAt: at(-2),
  database: { ok: true, tookMs: 3.2, problem: null },
  rpc: [
    { host: "base-mainnet.example.org", ok: true, tookMs: 88, problem: null, head: "24518811", headAgeMs: 2100 },
    { host: "mainnet.base.org", ok: true, tookMs: 141, problem: null, head: "24518810", headAgeMs: 4100 }
  ],
  mintServer: { ok: true, tookMs: 24, problem: null },
  sweep: { ok: true, problem: null, last: { at: at(-6), tookMs: 412, checked: 43, funded: 1, cancelled: 0 } },
  due: { ok: true, problem: null, since: null },
  incidents: []
}

/** A platform on a good day, with two things that wait for a person. */
export const overview = (change: Partial<StatusJson> = {}): StatusJson => ({
  command: "status",
  now: at(0),
  version: { name: "ai-mint-executor", version: "2.3.0", network: "base", chainId: 8453, startedAt: at(-187_000) },
  explorer: "https://basescan.org",
  paymentTimeoutMs: 600_000,
  tasks: [
    { status: "pending_payment", held: false, count: 3, cost: "1258000000" },
    { status: "funded", held: false, count: 1, cost: "100000000" },
    { status: "processing", held: false, count: 2, cost: "35000000" },
    { status: "processing", held: true, count: 1, cost: "40000000" },
    { status: "completed", held: false, count: 1842, cost: "41967500000" },
    { status: "failed", held: false, count: 7, cost: "81000000" },
    { status: "cancelled", held: false, count: 316, cost: "5120250000" }
  ],
  batches: [
    { status: "planned", count: 12, amount: "108000000" },
    { status: "signed", count: 1, amount: "10000000" },
    { status: "unknown", count: 1, amount: "7000000" },
    { status: "paid", count: 2, amount: "17000000" },
    { status: "delivered", count: 5391, amount: "41990500000" },
    { status: "held", count: 1, amount: "10000000" }
  ],
  money: { deposited: "43218750000", paid: "42007500000", refunded: "318000000", credit: "612350001" },
  moneySince: null,
  funnel: { since: at(-86_400), created: 248, funded: 201, minting: 199, completed: 193, failed: 2, cancelled: 41 },
  open: OPEN,
  openCount: OPEN.length,
  attention: [
    {
      kind: "held",
      taskId: taskId("b3319f58"),
      wallet: null,
      batch: 4,
      since: at(-3900),
      text: "batch 4 of this order: its nonce was cancelled. Somebody else may have the wallet's key.",
      alike: 1,
      command: "tasks explain b3319f58"
    },
    {
      kind: "unknown",
      taskId: taskId("42aa90f1"),
      wallet: null,
      batch: 1,
      since: at(-31),
      text: "the mint server's answer proves nothing; the chain is asked until the payment is used or its window has passed",
      alike: 1,
      command: "tasks explain 42aa90f1"
    }
  ],
  attentionCount: 2,
  lately: [],
  readiness: READINESS,
  pauses: [],
  limits: [],
  ...change
})

const WAITS = {
  paymentState: "paid",
  nextAction: "wait",
  amountDue: "0",
  payTo: null,
  payBy: null,
  checkAgainAfterSeconds: 6
} as const

/** The same with its next step. */
export const report = (of: TaskJson): TaskReportJson => ({ ...WAITS, ...of })

/** Everything that there is to say of one order. */
export const explanation = (of: TaskJson, change: Partial<ExplanationJson> = {}): ExplanationJson => ({
  command: "explain",
  task: report(of),
  summary: `${of.mintsCompleted} of ${of.quantity} mints are delivered; the next batch is on its way to the mint server.`,
  money: { onChain: "8000000", block: "24518811", reserved: "8000000", needed: "8000000", received: null },
  steps: [
    { at: at(-135), kind: "created", text: `Ordered: ${of.quantity} mints at 1.00 USDC.`, batch: null, txs: [] },
    {
      at: at(-58),
      kind: "deposit",
      text: "25.00 USDC arrived in the agent wallet.",
      batch: null,
      txs: [hash("deposit")]
    },
    { at: at(-50), kind: "funded", text: "Seen at the check; the order is funded.", batch: null, txs: [] },
    { at: at(-48), kind: "planned", text: "Cut into 3 batches.", batch: null, txs: [] },
    { at: at(-47), kind: "signed", text: "Batch 1: 10.00 USDC signed for 10 mints.", batch: 1, txs: [] },
    { at: at(-44), kind: "paid", text: "Batch 1: the chain shows the payment.", batch: 1, txs: [hash("p1")] },
    { at: at(-44), kind: "minted", text: "Batch 1: 10 mints delivered.", batch: 1, txs: [hash("m1"), hash("m2")] },
    {
      at: at(-30),
      kind: "refused",
      text: "Batch 2 was refused: sold out for the moment. Tried again after 5 s.",
      batch: 2,
      txs: []
    },
    {
      at: at(-24),
      kind: "decision",
      text: "An operator ended the hold: “the server is well again”.",
      batch: null,
      txs: []
    },
    { at: at(-20), kind: "minted", text: "Batch 2: 7 mints delivered.", batch: 2, txs: [hash("m3")] }
  ],
  batches: [
    batch(1, {
      status: "delivered",
      quantity: 10,
      minted: 10,
      paidAmount: "10000000",
      paymentTx: hash("p1"),
      mintTxs: [hash("m1"), hash("m2")]
    }),
    batch(2, {
      status: "paid",
      quantity: 10,
      minted: 7,
      paidAmount: "9500000",
      paymentTx: hash("p2"),
      mintTxs: [hash("m3")],
      reason: "3 mints are not there yet; the same payment is shown again every minute"
    }),
    batch(3, { status: "planned", quantity: 5, amount: "5000000" })
  ],
  next: {
    text: "The identical payment of batch 2 is sent again, and the chain is asked for its mints.",
    at: at(34),
    commands: [`resolve ${of.id.slice(0, 8)} --as delivered --why "…"`, `retry ${of.id.slice(0, 8)} --why "…"`]
  },
  ...change
})

type BatchJson = ExplanationJson["batches"][number]

function batch(number: number, change: Partial<BatchJson>): BatchJson {
  return {
    number,
    status: "planned",
    since: at(-40),
    quantity: 10,
    minted: 0,
    amount: "10000000",
    paidAmount: null,
    nonce: hash(`nonce ${number}`),
    payTo: account("token"),
    validBefore: null,
    paymentTx: null,
    mintTxs: [],
    reason: null,
    nextActionAt: null,
    ...change
  }
}
