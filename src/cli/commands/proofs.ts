import { Effect, Option, Schema } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { address } from "../../domain/Address.ts"
import { Operator } from "../../operator/Operator.ts"
import { Proof } from "../../proof/Proof.ts"
import * as Input from "../flags.ts"
import { Ended, EXIT, Io } from "../io.ts"
import { onOperator } from "../layers.ts"
import { Maintenance } from "../Maintenance.ts"
import { jsonOf, print } from "../print.ts"
import { verdictWords } from "../words/proof.ts"

const encode = Schema.encodeSync(Proof)

export const proveCommand = Command.make(
  "prove",
  { task: Input.task, direct: Input.direct },
  Effect.fnUntraced(function* ({ task }) {
    const { out, err } = yield* Io
    const proof = yield* (yield* Operator).prove(task)
    out(jsonOf(encode(proof)))
    if (proof.signature === null) err("⚠️ The proof is not signed: the executor has no AI_AGENT_PRIVATE_KEY.")
  })
).pipe(
  onOperator,
  Command.withDescription(
    "The deposits, payments and mints of an order as a document that ai-mint verify checks on chain, without settings."
  ),
  Command.withExamples([{ command: "ai-mint prove abc12345 > proof.json" }])
)

/** A public list of nodes is not longer. */
const URLS_MAX = 10

const isHttp = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

export const verifyCommand = Command.make(
  "verify",
  {
    proof: Argument.String("proof").pipe(Argument.withDescription("The file of the proof; - reads what comes in")),
    rpc: Flag.String("rpc").pipe(
      Flag.filter(isHttp, () => "a URL that begins with http:// or https://"),
      Flag.between(1, URLS_MAX),
      Flag.withDescription("A node of the proof's chain. A second one is asked for what the first does not know")
    ),
    signer: Input.addressFlag("signer").pipe(
      Flag.optional,
      Flag.withDescription("The account that must have signed: 0x…, as the platform publishes it")
    ),
    json: Input.json
  },
  Effect.fnUntraced(function* ({ proof, rpc, signer, json }) {
    const { verifyProof } = yield* Maintenance
    const expected = Option.getOrUndefined(Option.map(signer, address))
    const verdict = yield* verifyProof(proof, { urls: rpc, signer: expected })
    yield* print(verdict, json, verdictWords)
    if (verdict.result !== "holds") {
      return yield* new Ended({ code: verdict.result === "false" ? EXIT.refused : EXIT.undecided })
    }
  })
).pipe(
  Command.withDescription(
    "Checks a proof on chain. Needs a node and nothing else: no settings, no database, no executor. " +
      "Exit codes: 0 all holds, 1 something is false, 2 not a proof or another chain's node, 3 not everything could be looked at."
  ),
  Command.withExamples([
    { command: "ai-mint verify proof.json --rpc https://mainnet.base.org", description: "Asks one node" },
    {
      command: "ai-mint verify proof.json --rpc https://… --rpc https://… --signer 0x…",
      description: "Whom to trust, too"
    }
  ])
)
