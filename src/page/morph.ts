import type { Child } from "./dom.ts"
import { el } from "./dom.ts"

/**
 * Changes the elements that are shown into those that should be shown, and touches only what differs: focus, selection
 * and scrolling stay while the page renews itself every second. Elements with the same `data-key` are the same.
 *
 * Our own: a library (lit-html, preact, idiomorph) is imported by a bare name. A browser resolves that with a bundler or
 * an inline import map only, and the page has no build and a Content-Security-Policy that forbids inline scripts.
 */
const nodeKey = (node: Node): string | undefined =>
  (node instanceof Element ? node.getAttribute("data-key") : null) ?? undefined

/** Set and removed by `copy.ts`; no part of the state. */
const PASSING = "data-copied"

const isSameKind = (a: Node, b: Node): boolean => a.nodeName === b.nodeName && nodeKey(a) === nodeKey(b)

const morphAttributes = (old: Element, next: Element): void => {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== PASSING) old.removeAttribute(name)
  }
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
}

const morphNode = (old: Node, next: Node): void => {
  if (old instanceof Element && next instanceof Element) {
    morphAttributes(old, next)
    morphChildren(old, next)
  } else if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue
}

const morphChildren = (old: Element, next: Element): void => {
  const wanted = new Set([...next.childNodes].map(nodeKey))
  // Those that go, go first: what stays need not be moved then, and an element that is moved loses the focus.
  for (const child of [...old.childNodes]) {
    if (nodeKey(child) !== undefined && !wanted.has(nodeKey(child))) child.remove()
  }
  const keyed = new Map([...old.childNodes].map((child) => [nodeKey(child), child]))
  let at = old.firstChild
  for (const child of [...next.childNodes]) {
    const key = nodeKey(child)
    const match = key === undefined ? at : keyed.get(key)
    if (match == null || !isSameKind(match, child)) {
      old.insertBefore(child, at)
      continue
    }
    if (match === at) at = at.nextSibling
    else old.insertBefore(match, at)
    morphNode(match, child)
  }
  while (at !== null) {
    const after: ChildNode | null = at.nextSibling
    at.remove()
    at = after
  }
}

/** Has `parent` show these, and nothing else. */
export const show = (parent: Element, ...children: ReadonlyArray<Child>): void =>
  morphChildren(parent, el("div", {}, ...children))
