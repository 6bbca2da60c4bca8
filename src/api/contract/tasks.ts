import type { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import type { Permission } from "../../domain/Scope.ts"
import * as Decision from "../../operator/reports/decisions.ts"
import * as Tasks from "../../operator/reports/tasks.ts"
import { Name } from "../../operator/reports/values.ts"
import * as Request from "../../operator/requests.ts"
import { Proof } from "../../proof/Proof.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import { asking, deciding } from "./problems.ts"

/** A task's id, or the first eight digits of it. */
const taskParam = { task: Name }

/** A decision about a task or a wallet, at the path of its name. */
const aboutTask = <const Name extends string, Payload extends Schema.Top, Success extends Schema.Top>(
  name: Name,
  permission: Permission,
  payload: Payload,
  success: Success
) =>
  HttpApiEndpoint.post(name, `/:task/${name}`, { params: taskParam, payload, success, error: deciding }).annotateMerge(
    needs(permission)
  )

/** Orders: how they stand, and what is decided about them. */
export const tasks = HttpApiGroup.make("tasks")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Request.TaskQuery.fields,
      success: Tasks.TaskList,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.post("create", "/", {
      payload: Request.NewTask,
      success: Decision.Created.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("orders:create")),
    HttpApiEndpoint.get("show", "/:task", {
      params: taskParam,
      success: Tasks.TaskReport,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("explain", "/:task/explain", {
      params: taskParam,
      success: Tasks.Explanation,
      error: asking
    }).annotateMerge(needs("orders:read")),
    HttpApiEndpoint.get("proof", "/:task/proof", {
      params: taskParam,
      success: Proof,
      error: deciding
    }).annotateMerge(needs("audit")),
    aboutTask("cancel", "orders:cancel", Request.WhyBody, Decision.Cancelled),
    aboutTask("retry", "operate", Request.WhyBody, Decision.Retried),
    aboutTask("adopt", "operate", Request.AdoptBody, Decision.Adopted),
    aboutTask("resolve", "operate", Request.ResolveBody, Decision.Resolved)
  )
  .prefix("/api/tasks")
  .middleware(Authorization)
