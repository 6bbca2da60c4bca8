import { Array as Arr, Effect, Option, Result, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { nodeFetch } from "../chain/nodeFetch.ts"
import type { Address } from "../domain/Address.ts"
import { type Check, falseIf, holds, overall, unknown } from "./Check.ts"
import { chainChecks } from "./chainChecks.ts"
import { contentChecks, limitsOf } from "./contentChecks.ts"
import { signerOf } from "./digest.ts"
import { findNodes, gatherEvidence } from "./evidence.ts"
import { Claims, Proof } from "./Proof.ts"

/** An order of a thousand mints in a thousand batches has a proof of a third of it. */
export const PROOF_BYTES_MAX = 4 * 1024 * 1024

/** The text is no proof, or no node is there that could be asked: nothing was judged. */
export class NotVerifiable extends Schema.TaggedError<NotVerifiable>()("NotVerifiable", { message: Schema.String }) {}

/** What became of the checks of a proof. */
export interface Verdict {
  readonly command: "verify"
  readonly taskId: string
  /** `unknown`: nothing is false, and not everything could be looked at. */
  readonly result: "holds" | "false" | "unknown"
  /** Who signed this content; `undefined` where it is not signed, or was changed. */
  readonly signer: Address | undefined
  readonly checks: ReadonlyArray<Check>
  /** What no node can show. */
  readonly notChecked: ReadonlyArray<string>
}

interface Options {
  /** Nodes of the chain of the proof. */
  readonly urls: ReadonlyArray<string>
  /** Who must have signed; `undefined`: any account, or none. */
  readonly signer: Address | undefined
}

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** Nothing is in it that is not in the definition, as it would be read by people and by no check. */
const decode = Schema.decodeUnknownResult(Proof, { onExcessProperty: "error" })

/** Reads what may be anything. */
export const readProof = (text: string): Result.Result<Proof, NotVerifiable> => {
  if (text.length > PROOF_BYTES_MAX) return noProof(`it is longer than ${PROOF_BYTES_MAX} bytes`)
  const json = parseJson(text)
  if (Option.isNone(json)) return noProof("it is not JSON")
  return Result.mapError(
    decode(json.value),
    ({ message }) => new NotVerifiable({ message: `This is no proof: ${message.slice(0, 500)}` })
  )
}

const noProof = (why: string) => Result.fail(new NotVerifiable({ message: `This is no proof: ${why}.` }))

const encode = Schema.encodeSync(Claims)

/** Checks a proof with nothing but nodes of its chain: no settings, no ledger, and no word of who made it. */
export const verify = (text: string, options: Options) =>
  Effect.provideService(verifyBy(text, options), FetchHttpClient.Fetch, nodeFetch)

/** The same with the `fetch` that is given. */
export const verifyBy = Effect.fn("proof.verify")(function* (text: string, { urls, signer }: Options) {
  const proof = yield* Effect.fromResult(readProof(text))
  const { proof: claims } = proof
  const { signed, checks: inside } = yield* checkContent(proof, signer)
  const outside = yield* onChain(claims, urls).pipe(
    // What is false already needs no node.
    Effect.catchTag("NotVerifiable", (error) =>
      overall(inside) === "false" ? Effect.succeed([unknown("what is on chain", error.message)]) : Effect.fail(error)
    )
  )
  const checks = [...inside, ...outside]
  const trust = { signer: signed, isExpected: signer !== undefined }
  return {
    command: "verify",
    taskId: claims.order.id,
    result: overall(checks),
    signer: signed,
    checks,
    notChecked: limitsOf(claims, trust)
  } satisfies Verdict as Verdict
})

/** What shows without a node: who signed, and whether the parts fit together. */
export const checkContent = Effect.fn("proof.checkContent")(function* (
  { proof: claims, signature }: Proof,
  expected: Address | undefined
) {
  const recovered = signature === null ? undefined : yield* signerOf(encode(claims), signature.value)
  // Of other content a signature gives the address of an account that no one has.
  const signed = recovered === signature?.signer ? recovered : undefined
  const signatures = signatureChecks({ claimed: signature?.signer, signed, expected })
  return { signed, checks: [...signatures, ...contentChecks(claims)] }
})

interface Signed {
  /** Who signed, by the document, by the signature, and by who asks. */
  readonly claimed: Address | undefined
  readonly signed: Address | undefined
  readonly expected: Address | undefined
}

const signatureChecks = ({ claimed, signed, expected }: Signed): ReadonlyArray<Check> => {
  if (claimed === undefined) {
    return expected === undefined ? [] : [falseIf(`it is signed by ${expected}`, ["it is not signed"])]
  }
  const what = `it is signed by ${claimed}, as it is here`
  if (signed !== claimed) return [falseIf(what, ["the signature is not of this content: something was changed"])]
  const isOther = expected !== undefined && expected !== signed
  return [holds(what), ...(isOther ? [falseIf(`the signer is ${expected}`, [`it is ${signed}`])] : [])]
}

const onChain = Effect.fnUntraced(function* (claims: Claims, urls: ReadonlyArray<string>) {
  const { found, silent } = yield* findNodes(urls)
  const wrong = found.find(({ chainId }) => chainId !== claims.chainId)
  if (wrong !== undefined) {
    const message =
      `The proof is of chain ${claims.chainId}, and ${wrong.endpoint.host} leads to chain ${wrong.chainId}. ` +
      "Give --rpc a node of the proof's chain."
    return yield* new NotVerifiable({ message })
  }
  if (!Arr.isReadonlyArrayNonEmpty(found)) {
    return [unknown("what is on chain", `no node answers: ${silent.join("; ")}`)]
  }
  const evidence = yield* gatherEvidence(claims, found)
  const unanswered = [...silent, ...evidence.silence]
  return [
    ...chainChecks(claims, evidence),
    ...(evidence.silence.length > 0 ? [unknown("the nodes answer", unanswered.join("; "))] : [])
  ]
})
