/** `1 mint`, `2 mints`; with `many` where an `s` does not do it (`2 batches`). A number may come as text. */
export const counted = (count: number | bigint | string, one: string, many = `${one}s`): string =>
  `${count} ${String(count) === "1" ? one : many}`

/**
 * What could end a line, move the cursor of a terminal or turn the direction of reading: C0, DEL and C1, the line and
 * paragraph separators, and the bidirectional controls (Unicode Standard Annex 9). Strangers write orders and answers: none
 * may make a line look like another one, in a log, a report or on a terminal.
 */
export const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The text in one line, without them. */
export const singleLine = (text: string): string => text.replaceAll(UNPRINTABLE, " ").replaceAll(/ {2,}/g, " ")

/**
 * A word that means itself to every shell, or what a person fills in. Names of people's accounts come from rows that other
 * programs write: a shell must never find anything to do in one.
 */
const WORD = /^(?:[A-Za-z0-9._,:=/|-]+|"…"|"[A-Za-z0-9 ._,:-]*")$/

/** The words of a command line, those in double quotes whole. */
const words = (command: string): ReadonlyArray<string> => command.match(/"[^"]*"|[^ ]+/g) ?? []

/** Whether a command may be offered for copying: nothing of it could be read by a shell as anything else. */
export const isSafeToCopy = (command: string): boolean =>
  command !== "" && words(command).join(" ") === command && words(command).every((word) => WORD.test(word))
