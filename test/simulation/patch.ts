/** Other words in one place of production code. */
export interface Patch {
  /** From the root of the project. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

export const patch = (source: string, { file, find, replace }: Patch): string => {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times what is to be replaced: ${find}`)
  return parts.join(replace)
}
