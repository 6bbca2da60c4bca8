export type Child = Node | string | number | null | undefined | false | ReadonlyArray<Child>
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>

const SVG = "http://www.w3.org/2000/svg"

const filled = <E extends Element>(element: E, attributes: Attributes, children: ReadonlyArray<Child>): E => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue
    element.setAttribute(name, value === true ? "" : String(value))
  }
  element.append(...nodes(children))
  return element
}

const nodes = (children: ReadonlyArray<Child>): ReadonlyArray<Node | string> =>
  children.flatMap((child) => {
    if (child === false || child == null) return []
    if (child instanceof Node) return [child]
    return typeof child === "object" ? nodes(child) : [String(child)]
  })

/** An element. Data only ever becomes text or the value of an attribute: there is nothing to escape. */
export const el = (tag: string, attributes: Attributes = {}, ...children: ReadonlyArray<Child>): HTMLElement =>
  filled(document.createElement(tag), attributes, children)

/** An element of SVG. */
export const svg = (tag: string, attributes: Attributes = {}, ...children: ReadonlyArray<Child>): SVGElement =>
  filled(document.createElementNS(SVG, tag), attributes, children)

/** What `index.html` has under this id. */
export const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}
