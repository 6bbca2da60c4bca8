import { FAULT_NAMES } from "./faults.ts"
import { STEPS } from "./oracle/arrows.ts"
import type { Outcome } from "./run.ts"

const HOUR_MS = 3_600_000

/** What many runs came to, for a person. */
export class Report {
  readonly faults = new Map<string, number>()
  readonly steps = new Map<string, number>()
  readonly tasks = new Map<string, number>()
  seeds = 0
  virtualMs = 0
  readonly #startedMs = performance.now()

  add(outcome: Outcome): void {
    this.seeds++
    this.virtualMs += outcome.virtualMs
    for (const [to, from] of [
      [this.faults, outcome.faults],
      [this.steps, outcome.steps],
      [this.tasks, outcome.tasks]
    ] as const) {
      for (const [name, count] of from) to.set(name, (to.get(name) ?? 0) + count)
    }
  }

  get faultsMissing(): ReadonlyArray<string> {
    return FAULT_NAMES.filter((name) => (this.faults.get(name) ?? 0) === 0)
  }

  get stepsMissing(): ReadonlyArray<string> {
    return STEPS.filter((step) => !this.steps.has(step))
  }

  text(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000
    const table = (counts: ReadonlyMap<string, number>) =>
      [...counts].map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`)
    const none = (names: ReadonlyArray<string>) => (names.length === 0 ? "none" : names.join(", "))
    return [
      `${this.seeds} seeds, ${(this.virtualMs / HOUR_MS).toFixed(1)} virtual hours, ${(this.seeds / seconds).toFixed(1)} seeds per second`,
      "Faults and commands:",
      ...table(this.faults),
      `  never: ${none(this.faultsMissing)}`,
      "Steps of batches and refunds:",
      ...table(this.steps),
      `  never: ${none(this.stepsMissing)}`,
      "Tasks at the end:",
      ...table(this.tasks)
    ].join("\n")
  }
}
