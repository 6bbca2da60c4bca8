import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Keys from "../../operator/reports/keys.ts"
import { Name } from "../../operator/reports/values.ts"
import * as Request from "../../operator/requests.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import { asking, deciding } from "./problems.ts"

/** Keys for programs and agents. No key makes keys, or a stolen one could make itself another. */
export const keys = HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Keys.KeyList, error: asking }).annotateMerge(needs("root")),
    HttpApiEndpoint.post("create", "/", {
      payload: Request.NewKey,
      success: Keys.KeyMade.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("root")),
    HttpApiEndpoint.post("revoke", "/:key/revoke", {
      params: { key: Name },
      payload: Request.MaybeWhyBody,
      success: Keys.KeyRevoked,
      error: deciding
    }).annotateMerge(needs("root"))
  )
  .prefix("/api/keys")
  .middleware(Authorization)
