import { assert, describe, it } from "@effect/vitest"
import { afterEach, beforeEach, vi } from "vitest"
import { throttled } from "../../src/page/throttle.ts"

describe("work that is asked for too often", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("is done at once, and then once more after the gap", async () => {
    let times = 0
    const ask = throttled(async () => void times++, 1000)
    for (let n = 0; n < 10; n++) ask()
    await vi.advanceTimersByTimeAsync(0)
    assert.strictEqual(times, 1)
    for (let n = 0; n < 10; n++) ask()
    await vi.advanceTimersByTimeAsync(999)
    assert.strictEqual(times, 1)
    await vi.advanceTimersByTimeAsync(1)
    assert.strictEqual(times, 2)
    await vi.advanceTimersByTimeAsync(10_000)
    assert.strictEqual(times, 2)
  })

  it("is never done twice at a time, and what was asked for meanwhile is done after it", async () => {
    let running = 0
    let most = 0
    let times = 0
    const ask = throttled(async () => {
      most = Math.max(most, ++running)
      await new Promise((done) => setTimeout(done, 5000))
      running--
      times++
    }, 1000)
    ask()
    await vi.advanceTimersByTimeAsync(100)
    ask()
    ask()
    await vi.advanceTimersByTimeAsync(20_000)
    assert.deepStrictEqual([times, most], [2, 1])
  })
})
