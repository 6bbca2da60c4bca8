/** Marks texts for the eye. Never part of what is measured: a painted text is printed as it is. */
export interface Paint {
  readonly strong: (text: string) => string
  readonly faint: (text: string) => string
  readonly good: (text: string) => string
  readonly warn: (text: string) => string
  readonly bad: (text: string) => string
}

const same = (text: string): string => text

/** For files, pipes and tests. */
export const plain: Paint = { strong: same, faint: same, good: same, warn: same, bad: same }

const ansi =
  (on: number, off: number) =>
  (text: string): string =>
    text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`

/** For a terminal. */
export const coloured: Paint = {
  strong: ansi(1, 22),
  faint: ansi(2, 22),
  good: ansi(32, 39),
  warn: ansi(33, 39),
  bad: ansi(31, 39)
}

/** What words are made with besides their report. */
export interface Look {
  readonly paint: Paint
  /** For ages, milliseconds since 1970. */
  readonly nowMs: number
}

/** A part of a report under its title; no lines at all where it has none. */
export const section = (paint: Paint, title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", paint.strong(title), ...lines]
