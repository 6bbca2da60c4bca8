import { assert, describe, it } from "@effect/vitest"
import { isSafeToCopy } from "../../src/domain/text.ts"

describe("a command that is offered for copying", () => {
  it.each([
    "status",
    "tasks list --status pending_payment,funded,processing",
    'resolve abc12345 --batch 1 --as delivered|failed --why "…"',
    'resume --token 0x7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c --why "…"',
    'refund 0x7c7c --to 0x7c7c --amount 2.50 --confirm --why "paid too much"'
  ])("may be %s", (command) => {
    assert.isTrue(isSafeToCopy(command))
  })

  it.each([
    "wallets show $(id>/tmp/x)",
    "wallets show `id`",
    "wallets show x;id",
    "wallets show x&id",
    "wallets show x>y",
    "wallets show x\nid",
    "wallets show x\u202eid",
    "wallets show 'x'",
    'wallets show "$(id)"',
    'wallets show "x',
    "wallets show ~root",
    "wallets show *",
    "wallets show x\\",
    "wallets  show x",
    ""
  ])("is never %s", (command) => {
    assert.isFalse(isSafeToCopy(command))
  })
})
