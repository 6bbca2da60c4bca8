/**
 * A word that means itself to every shell, or what a person fills in. Names of people's accounts come from rows that other
 * programs write: a shell must never find anything to do in one.
 */
const WORD = /^(?:[A-Za-z0-9._,:=/|-]+|"…"|"[A-Za-z0-9 ._,:-]*")$/

/** The words of a command line, those in double quotes whole. */
const words = (command: string): ReadonlyArray<string> => command.match(/"[^"]*"|[^ ]+/g) ?? []

/** Whether a command may be offered for copying: nothing of it could be read by a shell as anything else. */
export const isOffered = (command: string): boolean =>
  command !== "" && words(command).join(" ") === command && words(command).every((word) => WORD.test(word))
