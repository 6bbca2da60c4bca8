import type { Timeline } from "./Timeline.ts"

const pad = (value: number, length: number): string => String(value).padStart(length, "0")

/** `01:02:03.456`: time since the start of the run. */
const since = (ms: number): string =>
  `${pad(Math.floor(ms / 3_600_000), 2)}:${pad(Math.floor(ms / 60_000) % 60, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(Math.floor(ms) % 1000, 3)}`

/** What happened in a run, for a person: virtual time, who, what. */
export class Trace {
  readonly lines: Array<string> = []
  readonly #timeline: Timeline
  readonly #startMs: number

  constructor(timeline: Timeline) {
    this.#timeline = timeline
    this.#startMs = timeline.nowMs
  }

  say(who: string, what: string): void {
    this.lines.push(`${since(this.#timeline.nowMs - this.#startMs)} ${who.padEnd(8)} ${what}`)
  }
}

/** Long hex in the few digits that tell it apart. */
export const short = (hex: string): string => (hex.length > 12 ? `${hex.slice(0, 8)}…` : hex)
