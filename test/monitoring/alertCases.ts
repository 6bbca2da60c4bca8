/** When one rule must fire, and when not. */
export interface AlertCase {
  readonly alert: string
  /** Series, and their samples in promtool's notation, one a minute. */
  readonly series: Readonly<Record<string, string>>
  /** Minutes after the first sample at which it does not fire yet; `undefined` where it fires from the start. */
  readonly quietAt: number | undefined
  readonly firesAt: number
  /** Besides the severity. */
  readonly labels: Readonly<Record<string, string>>
  readonly summary: string
}

const JOB = { job: "ai-mint-executor" }
const SCRAPED = { ...JOB, instance: "mint:4022" }
const at = 'job="ai-mint-executor",instance="mint:4022"'

/** A counter that stands at zero for a while, and counts then. */
const RARE = "0x9 1x9"

/** Every rule once. The samples are what `/metrics` shows: counters are there with zero before the first time. */
export const ALERT_CASES: ReadonlyArray<AlertCase> = [
  {
    alert: "AiMintDown",
    series: { [`up{${at}}`]: "1x4 0x9" },
    quietAt: 6,
    firesAt: 8,
    labels: SCRAPED,
    summary: "The executor cannot be scraped"
  },
  {
    alert: "AiMintLoopNotTicking",
    series: { [`ai_mint_loop_last_tick_timestamp_seconds{${at},loop="check"}`]: "60x9" },
    quietAt: 3,
    firesAt: 6,
    labels: { ...SCRAPED, loop: "check" },
    summary: "The check loop of mint:4022 has not ended a tick for 5m 0s"
  },
  {
    alert: "AiMintNeverTicked",
    series: { [`ai_mint_start_timestamp_seconds{${at}}`]: "0x9" },
    quietAt: 5,
    firesAt: 8,
    labels: SCRAPED,
    summary: "mint:4022 began 8m 0s ago and has not ended a tick yet"
  },
  {
    alert: "AiMintNoSuccessfulSweep",
    series: { [`ai_mint_loop_ticks_total{${at},loop="check",outcome="done"}`]: "0+6x5 30x15" },
    quietAt: 10,
    firesAt: 17,
    labels: JOB,
    summary: "No sweep has gone through for ten minutes"
  },
  {
    alert: "AiMintLoopDefect",
    series: { [`ai_mint_loop_ticks_total{${at},loop="mint",outcome="defect"}`]: RARE },
    quietAt: 9,
    firesAt: 11,
    labels: { ...JOB, loop: "mint" },
    summary: "A tick of the mint loop ended in a defect"
  },
  {
    alert: "AiMintWalletParked",
    series: { [`ai_mint_wallet_parked_total{${at}}`]: RARE },
    quietAt: 9,
    firesAt: 11,
    labels: JOB,
    summary: "The turn of a wallet ended in a defect"
  },
  {
    alert: "AiMintFiguresOld",
    series: { [`ai_mint_ledger_read_timestamp_seconds{${at}}`]: "60x15" },
    quietAt: 6,
    firesAt: 8,
    labels: JOB,
    summary: "The figures of the ledger are 7m 0s old"
  },
  {
    alert: "AiMintUndelivered",
    series: { [`ai_mint_undelivered{${at}}`]: "0x2 2x12" },
    quietAt: 7,
    firesAt: 9,
    labels: JOB,
    summary: "Payments that are made and not delivered: 2"
  },
  {
    alert: "AiMintPaymentUnknown",
    series: { [`ai_mint_unknown_payments_oldest_age_seconds{${at}}`]: "0+60x20" },
    quietAt: 10,
    firesAt: 12,
    labels: JOB,
    summary: "The outcome of a payment has been unknown for 12m 0s"
  },
  {
    alert: "AiMintTaskHeld",
    series: { [`ai_mint_held_tasks{${at}}`]: "0x2 1x9" },
    quietAt: 3,
    firesAt: 5,
    labels: JOB,
    summary: "Orders that wait for a person: 1"
  },
  {
    alert: "AiMintLimitReached",
    series: { [`ai_mint_limited_tasks{${at}}`]: "0x2 3x9" },
    quietAt: 3,
    firesAt: 5,
    labels: JOB,
    summary: "Orders that wait for a limit: 3"
  },
  {
    alert: "AiMintWalletStopped",
    series: { [`ai_mint_stopped_wallets{${at}}`]: "0x2 1x9" },
    quietAt: 2,
    firesAt: 4,
    labels: JOB,
    summary: "Wallets that are stopped: 1"
  },
  {
    alert: "AiMintOverdue",
    series: { [`ai_mint_oldest_due_age_seconds{${at}}`]: "0+60x15" },
    quietAt: 5,
    firesAt: 8,
    labels: JOB,
    summary: "Something has been due for 8m 0s and is not done"
  },
  {
    alert: "AiMintOutage",
    series: { [`ai_mint_outage{${at}}`]: "0x2 1x12" },
    quietAt: 7,
    firesAt: 9,
    labels: JOB,
    summary: "All wallets have been pausing for five minutes"
  },
  {
    alert: "AiMintIncident",
    series: { [`ai_mint_incidents{${at},stops="false"}`]: "0x2 1x12" },
    quietAt: 7,
    firesAt: 9,
    labels: { ...JOB, stops: "false" },
    summary: "Conditions of the environment that keep work waiting: 1 (stops all money: false)"
  },
  {
    alert: "AiMintMoneyCannotMove",
    series: { [`ai_mint_incidents{${at},stops="true"}`]: "0x2 1x12" },
    quietAt: 2,
    firesAt: 4,
    labels: JOB,
    summary: "No money can move"
  },
  {
    alert: "AiMintReorganised",
    series: { [`ai_mint_chain_reorganisations_total{${at}}`]: RARE },
    quietAt: 9,
    firesAt: 11,
    labels: JOB,
    summary: "The chain was reorganised below confirmed blocks"
  },
  {
    alert: "AiMintRpcFaults",
    series: {
      [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="ok"}`]: "0+10x30",
      [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="Timeout"}`]: "0x9 0+10x20"
    },
    quietAt: 9,
    firesAt: 20,
    labels: { ...JOB, host: "rpc.example.org" },
    summary: "rpc.example.org fails 50% of the questions"
  },
  {
    alert: "AiMintRpcDown",
    series: {
      [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="ok"}`]: "0+10x9 100x20",
      [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="Unavailable"}`]: "0x9 0+10x20"
    },
    quietAt: 10,
    firesAt: 20,
    labels: JOB,
    summary: "No node of the list answers"
  },
  {
    alert: "AiMintServerFailing",
    series: {
      [`ai_mint_mint_server_requests_total{${at},kind="quote",outcome="offer"}`]: "0+10x9 100x20",
      [`ai_mint_mint_server_requests_total{${at},kind="quote",outcome="Unavailable"}`]: "0x9 0+10x20"
    },
    quietAt: 10,
    firesAt: 22,
    labels: JOB,
    summary: "The mint server fails 100% of the requests"
  },
  {
    alert: "AiMintServerRefuses",
    series: { [`ai_mint_mint_server_requests_total{${at},kind="quote",outcome="Refused"}`]: "0x4 0+1x20" },
    quietAt: 7,
    firesAt: 20,
    labels: JOB,
    summary: "The mint server refused 15 requests in fifteen minutes"
  },
  {
    alert: "AiMintTokensRefused",
    series: { [`ai_mint_refused_tokens_total{${at}}`]: "0x4 0+30x20" },
    quietAt: 4,
    firesAt: 20,
    labels: JOB,
    summary: "300 requests with a wrong token in ten minutes"
  },
  {
    alert: "AiMintWebhooksWait",
    series: { [`ai_mint_webhook_oldest_due_age_seconds{${at}}`]: "0x4 400x20" },
    quietAt: 4,
    firesAt: 20,
    labels: JOB,
    summary: "Messages to webhooks have been due for 6m 40s"
  }
]

/** An executor that is well, for twenty minutes: no rule fires. */
export const WELL: Readonly<Record<string, string>> = {
  [`up{${at}}`]: "1x20",
  [`ai_mint_start_timestamp_seconds{${at}}`]: "0x20",
  [`ai_mint_loop_last_tick_timestamp_seconds{${at},loop="check"}`]: "0+60x20",
  [`ai_mint_loop_ticks_total{${at},loop="check",outcome="done"}`]: "0+6x20",
  [`ai_mint_loop_ticks_total{${at},loop="check",outcome="defect"}`]: "0x20",
  [`ai_mint_ledger_read_timestamp_seconds{${at}}`]: "0+60x20",
  [`ai_mint_undelivered{${at}}`]: "0 1 1 0x17",
  [`ai_mint_held_tasks{${at}}`]: "0x20",
  [`ai_mint_oldest_due_age_seconds{${at}}`]: "0x20",
  [`ai_mint_outage{${at}}`]: "0 1 0x18",
  [`ai_mint_incidents{${at},stops="true"}`]: "0x20",
  [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="ok"}`]: "0+100x20",
  [`ai_mint_rpc_requests_total{${at},host="rpc.example.org",outcome="Timeout"}`]: "0+1x20",
  [`ai_mint_mint_server_requests_total{${at},kind="quote",outcome="offer"}`]: "0+10x20",
  [`ai_mint_mint_server_requests_total{${at},kind="quote",outcome="Refused"}`]: "0x10 0+1x3 3x7"
}
