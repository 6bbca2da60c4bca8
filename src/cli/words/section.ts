import type { Paint } from "./paint.ts"

/** A part of a report under its title. Nothing, where there is nothing to be told. */
export const section = (paint: Paint, title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", paint.strong(title), ...lines]
