import { hostname, userInfo } from "node:os"
import { actorWords } from "../operator/Actor.ts"

/** The user of the shell, as the system has it; empty where it has no name for it, as in some containers. */
export const osUser = (): string => {
  try {
    return userInfo().username
  } catch {
    return ""
  }
}

/** Who decides straight on the database: there is no token, and the machine is the one of the shell. */
export const directActor = (): string => actorWords(osUser(), `--direct on ${hostname()}`)
