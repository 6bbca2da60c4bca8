/** `1 mint`, `2 mints`; with `many` where an `s` does not do it (`2 batches`). A number may come as text. */
export const counted = (count: number | bigint | string, one: string, many = `${one}s`): string =>
  `${count} ${String(count) === "1" ? one : many}`
