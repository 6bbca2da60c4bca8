import type { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import type { Permission } from "../../domain/Scope.ts"
import * as Decision from "../../operator/reports/decisions.ts"
import { Name } from "../../operator/reports/values.ts"
import * as Wallets from "../../operator/reports/wallets.ts"
import * as Request from "../../operator/requests.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import { asking, deciding } from "./problems.ts"

/** An agent wallet: its id, its user's address, or its own. */
const walletParam = { wallet: Name }

/** A decision about a wallet, at the path of its name. */
const aboutWallet = <const Name extends string, Payload extends Schema.Top, Success extends Schema.Top>(
  name: Name,
  permission: Permission,
  payload: Payload,
  success: Success
) =>
  HttpApiEndpoint.post(name, `/:wallet/${name}`, {
    params: walletParam,
    payload,
    success,
    error: deciding
  }).annotateMerge(needs(permission))

/** Agent wallets: opened, shown, and what is decided about them. */
export const wallets = HttpApiGroup.make("wallets")
  .add(
    HttpApiEndpoint.post("open", "/", {
      payload: Request.NewWallet,
      success: Wallets.WalletOpened,
      error: deciding
    }).annotateMerge(needs("orders:create")),
    HttpApiEndpoint.get("show", "/:wallet", {
      params: walletParam,
      success: Wallets.WalletReport,
      error: asking
    }).annotateMerge(needs("orders:read")),
    aboutWallet("resolve", "operate", Request.WhyBody, Decision.Reopened),
    aboutWallet("refund", "refunds", Request.RefundBody, Decision.RefundReport),
    aboutWallet("withdraw", "refunds", Request.WithdrawBody, Decision.Withdrawn)
  )
  .prefix("/api/wallets")
  .middleware(Authorization)
