/** What a mint server asks for in its 402 challenge (one entry of `accepts`), in either x402 version. */
export interface Offer {
  readonly scheme: string
  /** CAIP-2 (`eip155:8453`); a v1 server's plain name (`base`) is translated at the border. */
  readonly network: string
  readonly asset: string
  readonly payTo: string
  /** Base units of the asset. */
  readonly amount: bigint
  readonly maxTimeoutSeconds: number | undefined
}
