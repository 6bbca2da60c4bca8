import { HttpApiError } from "effect/http-api"

const TYPE = "about:blank"

/** There is no such task, wallet or path. */
export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", {
  type: TYPE,
  status: 404,
  title: "Not Found"
}) {}

/** Understood, and not done: the detail says why, and what to do. Nothing has changed. */
export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", {
  type: TYPE,
  status: 409,
  title: "Refused"
}) {}

/** No token, or a wrong one. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: TYPE,
  status: 401,
  title: "Unauthorized"
}) {}

/** What is protected is off: there is no token that would open it, or the request comes from another site. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: TYPE,
  status: 403,
  title: "Forbidden"
}) {}

/** Too many requests in a second, or too many listeners. */
export class TooMany extends HttpApiError.Problem<TooMany>()("TooMany", {
  type: TYPE,
  status: 429,
  title: "Too Many Requests"
}) {}

/** Database, chain or mint server did not answer. Nothing has changed; the same request may be sent again. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", {
  type: TYPE,
  status: 503,
  title: "Service Unavailable"
}) {}
