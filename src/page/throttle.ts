/**
 * Runs `work` at most once in `gapMs`, and never twice at a time. A call that comes too early is not lost: the work is
 * done once more when it may be, so that it never misses what happened last. `work` must not fail.
 */
export const throttled = (work: () => Promise<void>, gapMs: number): (() => void) => {
  let lastMs = Number.NEGATIVE_INFINITY
  let isRunning = false
  let isAskedAgain = false
  let isWaiting = false

  const run = async (): Promise<void> => {
    isWaiting = false
    isRunning = true
    isAskedAgain = false
    lastMs = Date.now()
    await work()
    isRunning = false
    if (isAskedAgain) ask()
  }
  const ask = (): void => {
    if (isRunning) {
      isAskedAgain = true
      return
    }
    if (isWaiting) return
    isWaiting = true
    setTimeout(() => void run(), Math.max(0, lastMs + gapMs - Date.now()))
  }
  return ask
}
