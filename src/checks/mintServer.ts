import { Duration, Effect } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { attempt } from "./attempt.ts"
import { sayerOf } from "./Finding.ts"
import { get } from "./http.ts"

const say = sayerOf("mint server")

/** For one small answer. A server that takes longer for it will hardly mint within `MINT_TIMEOUT`. */
const LIMIT = Duration.seconds(5)

/** Whether the mint server is there. Its front page is asked for: nothing is ordered and nothing is paid. */
export const examineMintServer = ({ mintProtocol }: SettingsShape, serverUrl: string) =>
  attempt(
    {
      say,
      what: "reachable",
      remedy: `Nothing is minted until ${serverUrl} (SERVER_URL) answers from this machine. No order is lost meanwhile.`
    },
    Effect.map(get(serverUrl, LIMIT), ({ status, ms }) => {
      const detail = `${serverUrl} answers in ${ms} ms with HTTP ${status} (MINT_PROTOCOL=${mintProtocol})`
      if (status < 500) return [say.ok({ what: "reachable", detail })]
      return [say.warn({ what: "reachable", detail, remedy: "Look at the log of the mint server." })]
    })
  )
