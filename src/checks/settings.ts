import { Duration, Redacted } from "effect"
import { isLoopback, type SettingsShape } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import { hostOf } from "../ops/redact.ts"
import { type Finding, reportOn } from "./Finding.ts"

const report = reportOn("settings")

/** `kill_timeout` in `ecosystem.config.cjs`: after that pm2 sends SIGKILL, even while a payment is in flight. */
const KILL_TIMEOUT = Duration.seconds(45)

const ENV_EXAMPLE = "Set it in the environment or in .env; .env.example describes every key."

/** Settings that do not let the executor start, one finding each, and the checks that they make impossible. */
export const badSettings = (problems: ReadonlyArray<string>): ReadonlyArray<Finding> => [
  ...problems.map((problem) => report.fail({ what: "problem", detail: problem, remedy: ENV_EXAMPLE })),
  report.warn({
    what: "not looked at",
    detail: "database, keys, chain, mint server and executor: they are known by the settings only",
    remedy: "Correct the settings, then run ai-mint doctor again."
  })
]

/** Keys of `.env` that the environment overrides. */
export const overriddenSettings = (keys: ReadonlyArray<string>): ReadonlyArray<Finding> =>
  keys.length === 0
    ? []
    : [
        report.warn({
          what: ".env",
          detail: `the environment says something else than .env, and counts: ${keys.join(", ")}`,
          remedy: "Take them out of the environment, or out of .env. What pm2 has in its own: pm2 env 0."
        })
      ]

/** Settings that are valid one by one, but perhaps not what the operator wants. */
export const examineSettings = (settings: SettingsShape): ReadonlyArray<Finding> => {
  const { network } = settings
  const deployed = network.hasSandbox ? [] : [endpointCount, publicEndpoint, refunds]
  const found = [...deployed, unusedWebSockets, unprotected, window, drain, certificate].flatMap(
    (check) => check(settings) ?? []
  )
  return [report.ok({ what: "network", detail: `${network.name} (chain ${network.chainId})` }), ...found]
}

type SettingsCheck = (settings: SettingsShape) => Finding | undefined

const endpointCount: SettingsCheck = ({ network, rpcUrls }) =>
  rpcUrls.length !== 1
    ? undefined
    : report.warn({
        what: "one RPC URL",
        detail: "there is nothing to fail over to: when that node is down, nothing is checked or paid",
        remedy: `Put two or more URLs of different providers in ${network.rpcKey}, with commas between them.`
      })

const publicEndpoint: SettingsCheck = ({ network, rpcUrls }) => {
  const host = hostOf(network.publicRpcUrl ?? "")
  if (!rpcUrls.some((url) => hostOf(Redacted.value(url)) === host)) return undefined
  const detail = `${host} is for everybody: it limits requests, and may refuse them when they are needed`
  return report.warn({ what: "public RPC", detail, remedy: `Set ${network.rpcKey} to nodes of a provider.` })
}

const unusedWebSockets: SettingsCheck = ({ checkTrigger, network, wsUrls }) =>
  checkTrigger === "block" || wsUrls.length === 0
    ? undefined
    : report.warn({
        what: "WebSocket",
        detail: "not used: with CHECK_TRIGGER=interval nothing waits for new blocks",
        remedy: `Set CHECK_TRIGGER=block, or take the ws:// and wss:// URLs out of ${network.rpcKey}.`
      })

const refunds: SettingsCheck = ({ aiAgentPrivateKey }) =>
  aiAgentPrivateKey !== undefined
    ? undefined
    : report.warn({
        what: "refunds",
        detail: "off: there is no account that pays their gas",
        remedy: "Set AI_AGENT_PRIVATE_KEY to an account with some ETH, if people are to get credit back."
      })

const unprotected: SettingsCheck = ({ opsHost, opsToken }) =>
  isLoopback(opsHost) || opsToken !== undefined
    ? undefined
    : report.fail({
        what: "OPS_TOKEN",
        detail: `not set, and OPS_HOST=${opsHost} is reachable from outside: nothing that is protected answers`,
        remedy: "Set OPS_TOKEN (openssl rand -hex 32), or OPS_HOST=127.0.0.1."
      })

const window: SettingsCheck = ({ authorizationWindow, mintTimeout }) =>
  Duration.isGreaterThanOrEqualTo(authorizationWindow, mintTimeout)
    ? undefined
    : report.warn({
        what: "payment window",
        detail: `AUTHORIZATION_WINDOW (${inWords(authorizationWindow)}) is shorter than MINT_TIMEOUT (${inWords(mintTimeout)}): a payment can lapse while the server works on it`,
        remedy: "Make AUTHORIZATION_WINDOW longer than MINT_TIMEOUT."
      })

const drain: SettingsCheck = ({ drainTimeout }) =>
  Duration.isLessThan(drainTimeout, KILL_TIMEOUT)
    ? undefined
    : report.warn({
        what: "drain",
        detail: `DRAIN_TIMEOUT (${inWords(drainTimeout)}) is not below pm2's kill_timeout (${inWords(KILL_TIMEOUT)}): pm2 kills the executor while it finishes a payment`,
        remedy: "Make DRAIN_TIMEOUT shorter, or raise kill_timeout in ecosystem.config.cjs."
      })

const certificate: SettingsCheck = ({ production, databaseSslVerify }) =>
  !production || databaseSslVerify
    ? undefined
    : report.warn({
        what: "certificate",
        detail: "DATABASE_SSL_VERIFY=false: any machine between here and the database can pass for it",
        remedy: "Give the database a certificate that can be verified, and take DATABASE_SSL_VERIFY out."
      })

const inWords = (duration: Duration.Duration): string => words(Duration.toMillis(duration))
