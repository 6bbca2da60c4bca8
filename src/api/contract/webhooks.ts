import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Name } from "../../operator/reports/values.ts"
import * as Webhook from "../../operator/reports/webhooks.ts"
import * as Request from "../../operator/requests.ts"
import { Authorization } from "./Authorization.ts"
import { needs } from "./permissions.ts"
import { asking, deciding } from "./problems.ts"

/** A webhook: its id, or the first eight digits of it. */
const webhookParam = { webhook: Name }

/** Endpoints that events are sent to, and the deliveries to them. */
export const webhooks = HttpApiGroup.make("webhooks")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Webhook.WebhookList, error: asking }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("add", "/", {
      payload: Request.NewWebhook,
      success: Webhook.WebhookSecret.pipe(HttpApiSchema.status(201)),
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.get("deliveries", "/deliveries", {
      query: Request.DeliveryQuery.fields,
      success: Webhook.DeliveryList,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("redeliver", "/deliveries/:delivery/redeliver", {
      params: { delivery: Name },
      success: Webhook.Sent,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("test", "/:webhook/test", {
      params: webhookParam,
      success: Webhook.Sent,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.post("rotate", "/:webhook/rotate", {
      params: webhookParam,
      success: Webhook.WebhookSecret,
      error: deciding
    }).annotateMerge(needs("webhooks")),
    HttpApiEndpoint.delete("remove", "/:webhook", {
      params: webhookParam,
      success: Webhook.WebhookRemoved,
      error: deciding
    }).annotateMerge(needs("webhooks"))
  )
  .prefix("/api/webhooks")
  .middleware(Authorization)
