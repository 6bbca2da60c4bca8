import { duration } from "../domain/time.ts"

/** How long a pay-in may still come, on the chain's clock, behind the words that it may. */
export const howLongYet = (validBeforeMs: number, chainMs: number): string =>
  validBeforeMs > chainMs ? ` within ${duration(validBeforeMs - chainMs)}` : " if it was submitted in time"
