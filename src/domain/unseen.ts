/**
 * What could end a line, move the cursor of a terminal or turn the direction of reading: C0, DEL and C1, the line and
 * paragraph separators, and the bidirectional controls (Unicode Standard Annex 9). Strangers write orders and answers: none
 * may make a line look like another one, in a log, a report or on a terminal.
 */
export const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The text in one line, without them. */
export const seen = (text: string): string => text.replaceAll(UNSEEN, " ").replaceAll(/ {2,}/g, " ")
