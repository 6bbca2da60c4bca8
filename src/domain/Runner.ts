import { type Part, PARTS, partsInWords } from "./Part.ts"

/** An executor among those that share one database. */
export interface Runner {
  /** Host and process id, for people. */
  readonly name: string
  readonly version: string
  /** A digest of each setting that all of them must have alike, by its key. */
  readonly settings: Readonly<Record<string, string>>
  readonly parts: ReadonlyArray<Part>
}

/** What is wrong where another executor is not the same program with the same settings; `undefined` where it is. */
export const disagreement = (
  own: Pick<Runner, "version" | "settings">,
  other: Runner,
  ownName = "this one"
): string | undefined => {
  const keys = new Set([...Object.keys(own.settings), ...Object.keys(other.settings)])
  const different = [...keys].filter((key) => own.settings[key] !== other.settings[key]).toSorted()
  const faults = [
    ...(own.version === other.version ? [] : [`runs version ${other.version}, and ${ownName} ${own.version}`]),
    ...(different.length === 0 ? [] : [`has another ${different.join(", ")} than ${ownName}`])
  ]
  return faults.length === 0 ? undefined : `The executor ${other.name} ${faults.join(", and ")}`
}

/** `16 of 32 parts of the wallets (0-15)`. */
export const ownedInWords = (parts: ReadonlyArray<Part>): string =>
  `${parts.length} of ${PARTS} parts of the wallets${parts.length === 0 ? "" : ` (${partsInWords(parts)})`}`
