import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Option } from "effect"
import { isLifetime } from "../../domain/Key.ts"
import { type Scope, SCOPES } from "../../domain/Scope.ts"
import { KeyList, KeyMade, KeyRevoked } from "../../operator/reports/keys.ts"
import * as Input from "../flags.ts"
import { onExecutor } from "../layers.ts"
import { reporting } from "../print.ts"
import { keyListWords, keyMadeWords, keyRevokedWords } from "../words/keys.ts"

const isScope = (text: string): text is Scope => SCOPES.some((scope) => scope === text)

const scopesOf = (text: string): readonly [Scope, ...Array<Scope>] | undefined => {
  const [first, ...others] = text.split(",").map((one) => one.trim())
  return first !== undefined && isScope(first) && others.every(isScope) ? [first, ...others] : undefined
}

const createCommand = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(Flag.withDescription("What it is called: letters, digits, dots, - and _")),
    scopes: Flag.String("scope").pipe(
      Flag.filterMap(
        (text) => Option.fromUndefinedOr(scopesOf(text)),
        () => `scopes with commas between them, of ${SCOPES.join(", ")}`
      ),
      Flag.withDescription(`What it may do, with commas between: ${SCOPES.join(", ")}`)
    ),
    user: Input.addressFlag("user").pipe(
      Flag.optional,
      Flag.withDescription("Binds it to this person: it sees and orders for 0x… only")
    ),
    expires: Flag.String("expires").pipe(
      Flag.filter(isLifetime, () => "a time such as 90d, 12h or 30m"),
      Flag.optional,
      Flag.withDescription("For how long it opens anything: 90d, 12h, 30m. Default: until it is revoked")
    ),
    json: Input.json
  },
  reporting(KeyMade, keyMadeWords, ({ createKey }, { name, scopes, user, expires }) =>
    createKey({ name, scopes, ...Input.given({ user, expires }) })
  )
).pipe(
  onExecutor,
  Command.withDescription("Makes a key for a program or an agent, and shows it this once."),
  Command.withExamples([
    { command: "ai-mint keys create --name shop --scope orders:create,orders:read", description: "A shop" },
    {
      command: "ai-mint keys create --name ann --scope orders:create,orders:read --user 0x… --expires 90d",
      description: "An agent of one person, for 90 days"
    }
  ])
)

const listCommand = Command.make(
  "list",
  { json: Input.json },
  reporting(KeyList, keyListWords, ({ keys }) => keys)
).pipe(onExecutor, Command.withDescription("All keys, without their secrets."))

const revokeCommand = Command.make(
  "revoke",
  {
    key: Argument.String("key").pipe(Argument.withDescription("Its name, or its id")),
    why: Input.why.pipe(Flag.optional),
    json: Input.json
  },
  reporting(KeyRevoked, keyRevokedWords, ({ revokeKey }, { key, why }) => revokeKey(key, Input.given({ why })))
).pipe(onExecutor, Command.withDescription("Ends a key at once, in all executors."))

export const keysCommand = Command.make("keys").pipe(
  Command.withDescription("Keys for programs and agents, each with what it may do."),
  Command.withSubcommands([createCommand, listCommand, revokeCommand])
)
