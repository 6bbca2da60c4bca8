import type { StatusJson } from "../operator/reports/status.ts"
import { syncDialog } from "./dialog.ts"
import { byId } from "./dom.ts"
import { count } from "./format.ts"
import { showTokenForm } from "./tokenForm.ts"
import { show } from "./morph.ts"
import { attention } from "./parts/attention.ts"
import { explainPanel, explainTitle } from "./parts/explain.ts"
import { keys } from "./parts/keys.ts"
import { limits } from "./parts/limits.ts"
import { listing, listingFilters, listingTitle } from "./parts/listing.ts"
import { funnelChart } from "./parts/funnel.ts"
import { filters, orders } from "./parts/orders.ts"
import { readiness } from "./parts/readiness.ts"
import { eventList } from "./parts/timeline.ts"
import { banners, liveIndicator, title, versionLine } from "./parts/status.ts"
import { moneyTiles, orderTotals, paymentTotals } from "./parts/totals.ts"
import { webhooks } from "./parts/webhooks.ts"
import { isStale, type State, attentionTotal } from "./state.ts"

const showOverview = (overview: StatusJson, { filter, recentEvents: events }: State, nowMs: number): void => {
  show(byId("version"), versionLine(overview, nowMs))
  show(byId("readiness"), readiness(overview.readiness, nowMs))
  show(byId("attention-count"), attentionTotal(overview) === 0 ? "" : count(attentionTotal(overview)))
  show(byId("attention"), attention(overview, nowMs))
  show(byId("money"), moneyTiles(overview))
  show(byId("funnel"), funnelChart(overview.funnel, nowMs))
  show(byId("order-totals"), orderTotals(overview))
  show(byId("payment-totals"), paymentTotals(overview))
  show(byId("filters"), filters(overview, filter))
  show(byId("open"), orders(overview, filter, nowMs))
  show(byId("limits"), limits(overview, nowMs))
  show(byId("recent-events"), eventList(events))
}

/** Shows all of the state, by the clock of the server. */
export const render = (state: State): void => {
  const localMs = Date.now()
  const nowMs = localMs + state.skewMs
  show(byId("live"), liveIndicator(state, localMs))
  show(byId("banners"), banners(state, localMs))
  document.title = title(state)
  document.body.dataset["known"] = String(state.overview !== undefined)
  byId("main").dataset["stale"] = String(isStale(state, localMs))
  if (state.overview !== undefined) showOverview(state.overview, state, nowMs)
  byId("h-listing").textContent = listingTitle(state.listing)
  show(byId("listing-filters"), listingFilters(state.listing))
  show(byId("listed"), listing(state, nowMs))
  show(byId("webhooks"), webhooks(state.cards.webhooks, nowMs))
  show(byId("keys"), keys(state.cards.keys, nowMs))
  if (state.opened !== undefined) {
    show(byId("explain-title"), explainTitle(state.opened))
    show(byId("explain-body"), explainPanel(state.opened, state.overview?.explorer ?? null, nowMs))
  }
  // As long as the dialog is open nothing outside of it takes the focus: it goes first.
  syncDialog(state)
  showTokenForm(state.access)
}
