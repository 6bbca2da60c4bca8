/** What stands before the path where a request goes through a proxy of its client's own (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#\\]*/i

/** `pchar` of RFC 3986, section 3.3, but for `;`, which some programs take for the end of a path. */
const SEGMENT = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})*$/

/** What needs no escape, and what would be syntax: `/ \ ; ? # %`. Two programs may read an escape of them in two ways. */
const NEVER_ESCAPED = /^[A-Za-z0-9\-._~/\\;?#%]$/

/** The bytes of its escapes are text, and none of them is a control or a character that is never escaped. */
const isEscapedWell = (segment: string): boolean => {
  if (!segment.includes("%")) return true
  if (segment.match(/%[0-9A-Fa-f]{2}/g)?.some((escape) => NEVER_ESCAPED.test(byteOf(escape))) === true) return false
  try {
    // oxlint-disable-next-line no-control-regex
    return !/[\0-\x1f\x7f-\x9f]/.test(decodeURIComponent(segment))
  } catch {
    return false
  }
}

const byteOf = (escape: string): string => String.fromCharCode(Number.parseInt(escape.slice(1), 16))

/**
 * Whether the target of a request, as it came over the wire, has its path in the one form in which every program reads
 * the same: RFC 3986, section 6.2.2, without empty or dot segments and without a `;`. A proxy in front decides by the
 * path who may ask for what. It must never see another path than this server.
 */
export const isPlainTarget = (target: string): boolean => {
  if (target === "*") return true
  const [path = ""] = target.replace(ORIGIN, "").split("?", 1)
  // An origin alone has no path, and stands for the root.
  if (path === "") return ORIGIN.test(target) && !target.includes("#")
  const [before, ...segments] = path.split("/")
  if (before !== "" || target.includes("#")) return false
  return segments.every(
    (segment, n) =>
      // Nothing may follow the last slash.
      (segment !== "" || n === segments.length - 1) &&
      segment !== "." &&
      segment !== ".." &&
      SEGMENT.test(segment) &&
      isEscapedWell(segment)
  )
}
