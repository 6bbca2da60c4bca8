import { bodyJson, bodyWords, plain, type Reply } from "./reply.ts"

// Which answers are the mint server's own. Proxies, gateways and firewalls stand between, and answer with the same
// status codes: only what is recognisably the server's own counts against an order.

/** `application/json`, `application/problem+json`, … */
const isJson = ({ headers }: Reply): boolean =>
  /^application\/([\w.-]+\+)?json\b/i.test(headers["content-type"]?.trim() ?? "")

/**
 * Headers that only a gateway sets, and only where it answers itself. Source: the documentation of AWS API Gateway
 * and WAF, Cloudflare, Vercel, Kong and Azure Front Door.
 */
const GATEWAY_HEADERS = [
  "x-amzn-errortype",
  "x-amzn-waf-action",
  "cf-mitigated",
  "x-vercel-error",
  "x-vercel-mitigated",
  "x-kong-response-latency",
  "x-azure-externalerror",
  "www-authenticate"
]

/** The name of a status says no more than the status. Routers answer so where they know no such path. */
const STATUS_NAMES = new RegExp(
  `^(${[
    "bad request|unauthori[sz]ed|payment required|forbidden( resource)?|(page |route |resource )?not found",
    "method not allowed|not acceptable|conflict|gone|unprocessable (entity|content)|error|(an )?error occurred",
    "request failed with status code \\d+|http (error )?\\d+|(error )?\\d{3}"
  ].join("|")})[.!]?$`,
  "i"
)

/**
 * Texts of gateways and routers in JSON. Source: AWS API Gateway, "gateway response types"; Kong, Azure API
 * Management, Google Cloud Endpoints, Cloudflare and Vercel, their lists of error responses; Fastify, NestJS, Express.
 */
const GATEWAY_WORDS = new RegExp(
  [
    "missing authentication token|not authori[sz]ed to (access|perform)|security token|signature (we calculated|expired)",
    "access denied|explicit deny|api key|subscription key|invalid authentication|consume this service|jwt|bearer",
    "no route matched|ip address (is )?not allowed|permission[_ ]denied|not have permission|unauthenticated|unregistered callers",
    "\\bcannot (get|post|head) /|\\broute (get|post|head)[: ]|deployment_?not_?found|no such app|unknown host",
    "cloudflare|ray id|attention required|just a moment|rate.?limit|too many requests|limit exceeded|quota|throttl",
    "^error \\d{3,4}\\b|captcha|challenge|firewall|\\bwaf\\b|blocked by|upstream|bad gateway|gateway time-?out"
  ].join("|"),
  "i"
)

/** Fields that only a gateway's own error has. */
const GATEWAY_FIELDS = ["cloudflare_error", "ray_id", "error_code", "Message", "__type"]

/** JSON, and without the marks of a gateway that answers in the server's place. */
export const mayBeOwn = (reply: Reply): boolean => {
  if (!isJson(reply) || GATEWAY_HEADERS.some((name) => reply.headers[name] !== undefined)) return false
  const json = bodyJson(reply)
  return typeof json === "object" && json !== null && !GATEWAY_FIELDS.some((field) => field in json)
}

/**
 * The server's reason for a refusal, where it is recognisably its own: JSON that says more than the status in a known
 * place. `undefined` for everything else: a page, plain text, an empty body, a gateway's own JSON.
 */
export const ownWords = (reply: Reply): string | undefined => {
  const words = mayBeOwn(reply) ? bodyWords(reply) : undefined
  if (words === undefined || STATUS_NAMES.test(words) || GATEWAY_WORDS.test(words)) return undefined
  return isAboutAccess(reply) && saysOnlyMessage(reply) ? undefined : words
}

/** Gateways refuse access in a bare `message`; a server that refuses an order gives it as its `error` or `reason`. */
const saysOnlyMessage = (reply: Reply): boolean => {
  const json = bodyJson(reply)
  return !["error", "errors", "reason", "detail", "details"].some((key) => Object.hasOwn(json as object, key))
}

const isAboutAccess = ({ status }: Reply): boolean => status === 401 || status === 403

/** Describes an answer that is not the server's own, for a person. */
export const foreignWords = (reply: Reply): string => {
  const type = plain(reply.headers["content-type"]?.split(";")[0] ?? "").slice(0, 40)
  const what = type === "" ? "no content type" : isJson(reply) ? "a gateway's JSON, or an empty one" : type
  const words = bodyWords(reply)
  return `not the server's own words (${what})${words === undefined ? "" : `: ${words}`}`
}
