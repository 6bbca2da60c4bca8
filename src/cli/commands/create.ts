import { Effect, Option, Schema } from "effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { QUANTITY_MAX } from "../../domain/Task.ts"
import { CHANGE } from "../client/ask.ts"
import * as Input from "../flags.ts"
import * as Form from "../forms.ts"
import type { Kit } from "../Kit.ts"

const isUuid = Schema.is(Schema.String.check(Schema.isUUID()))

const input = {
  user: Input.addressFlag("user").pipe(Flag.withDescription("The person, who must have an agent wallet: 0x…")),
  token: Input.addressFlag("token").pipe(Flag.withDescription("The contract of the token: 0x…")),
  quantity: Flag.Int("quantity").pipe(
    Flag.filter(
      (n) => n >= 1 && n <= QUANTITY_MAX,
      () => `1 to ${QUANTITY_MAX}`
    ),
    Flag.withDescription(`How many mints: 1 to ${QUANTITY_MAX}`)
  ),
  price: Input.amountFlag("price").pipe(
    Flag.optional,
    Flag.withDescription("The most that a mint may cost, in USDC like 2.5. Default: what the mint server asks now")
  ),
  id: Flag.String("id").pipe(
    Flag.filter(isUuid, () => "a UUID"),
    Flag.optional,
    Flag.withDescription("A UUID of your own: the same command twice then makes one order")
  ),
  json: Input.json
}

export const createCommand = <E>({ ways, tell }: Kit<E>) =>
  Command.make("create", input, ({ user, token, quantity, price, id, json }) => {
    const pricePerMint = Option.getOrUndefined(Option.map(price, Input.parseAmount))
    const payload = {
      userAddress: user,
      tokenAddress: token,
      quantity,
      ...(pricePerMint === undefined ? {} : { pricePerMint }),
      ...(Option.isNone(id) ? {} : { id: id.value })
    }
    return Effect.asVoid(
      tell(
        ways.ask(({ tasks }) => tasks.create({ payload }), CHANGE),
        Form.decision,
        json
      )
    )
  }).pipe(
    Command.withDescription("Places an order for a person who has an agent wallet, and tells where they pay."),
    Command.withExamples([{ command: "ai-mint tasks create --user 0x… --token 0x… --quantity 10 --price 1" }])
  )
