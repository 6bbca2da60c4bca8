import { lookup, Resolver } from "node:dns/promises"
import { BlockList, isIP } from "node:net"
import { Context, Effect, Schema } from "effect"

/** An endpoint that no request goes to. */
export class BadTarget extends Schema.TaggedError<BadTarget>()("BadTarget", { message: Schema.String }) {}

/** Where to connect to for a URL. */
export interface Target {
  readonly url: URL
  /** The one address that was checked. */
  readonly address: string
}

export interface TargetRules {
  /** The local network: any address, over HTTP too. */
  readonly isLocal: boolean
}

const URL_MAX = 2_000

/** Ranges of IPv4 that are no host of the internet. Source: IANA, "IPv4 Special-Purpose Address Registry". */
const SPECIAL_V4: ReadonlyArray<readonly [string, number]> = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3]
]

/**
 * The same within what IPv6 has for hosts, 2000::/3: protocols and tunnels that carry an IPv4 address of their own, and
 * documentation. All outside of 2000::/3 is refused: loopback, link-local, unique-local, multicast, IPv4-mapped, NAT64.
 * Source: IANA, "IPv6 Special-Purpose Address Registry".
 */
const SPECIAL_V6: ReadonlyArray<readonly [string, number]> = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20]
]

const listOf = (family: "ipv4" | "ipv6", ranges: ReadonlyArray<readonly [string, number]>): BlockList => {
  const list = new BlockList()
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family)
  return list
}

const specialV4 = listOf("ipv4", SPECIAL_V4)
const specialV6 = listOf("ipv6", SPECIAL_V6)
const hostsV6 = listOf("ipv6", [["2000::", 3]])

/** Whether the address is one of a host of the internet. */
export const isPublic = (address: string): boolean => {
  switch (isIP(address)) {
    case 4:
      return !specialV4.check(address, "ipv4")
    case 6:
      return hostsV6.check(address, "ipv6") && !specialV6.check(address, "ipv6")
    default:
      return false
  }
}

/** All addresses of a name. */
export type LookUp = (host: string) => Promise<ReadonlyArray<string>>

/** DNS asked directly: `getaddrinfo` would hold one of four threads, which all look-ups and files of the process share. */
const askDns: LookUp = async (host) => {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 })
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  return found.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))
}

/** As the machine sees names, with its own among them. */
const askSystem: LookUp = async (host) => (await lookup(host, { all: true })).map(({ address }) => address)

/** How names are looked up, where it is not the network's usual way. */
export const CurrentLookUp = Context.Reference<LookUp | undefined>("ai-mint-executor/ops/webhookTarget/CurrentLookUp", {
  defaultValue: () => undefined
})

const refuse = (message: string) => Effect.fail(new BadTarget({ message }))

/** The URL, if it is one that an endpoint may have. */
const parseUrl = (text: string, { isLocal }: TargetRules): Effect.Effect<URL, BadTarget> => {
  const url = text.length > URL_MAX ? null : URL.parse(text)
  if (url === null)
    return refuse(`The URL cannot be read: give one like https://example.com/hooks, at most ${URL_MAX} characters.`)
  if (url.protocol !== "https:" && url.protocol !== "http:") return refuse("The URL must begin with https://.")
  if (url.protocol === "http:" && !isLocal)
    return refuse("The URL must begin with https://: anyone on the way could read http://.")
  if (url.username !== "" || url.password !== "") {
    return refuse(
      "The URL must hold no user name and no password: requests are signed, and that is how they are known."
    )
  }
  return Effect.succeed(url)
}

/**
 * Looks the host of the URL up, once, and checks each of its addresses: connect to the one that is given, as the next
 * look-up may have another answer. Fails for addresses inside a network, which a request from here may reach where one from
 * outside does not; but for the local network, whose endpoints are on this machine.
 */
export const resolveTarget = Effect.fnUntraced(function* (text: string, rules: TargetRules) {
  const url = yield* parseUrl(text, rules)
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const addresses = isIP(host) === 0 ? yield* addressesOf(host, rules) : [host]
  const [address] = addresses
  if (address === undefined) return yield* refuse(`The host ${host} has no address.`)
  // Which address it is stays untold: a key for webhooks would read the names of the network inside.
  if (!rules.isLocal && !addresses.every(isPublic)) {
    return yield* refuse(`The host ${host} has an address which is no public one: nothing is sent there.`)
  }
  return { url, address } satisfies Target as Target
})

const addressesOf = Effect.fnUntraced(function* (host: string, { isLocal }: TargetRules) {
  const lookUp = (yield* CurrentLookUp) ?? (isLocal ? askSystem : askDns)
  return yield* Effect.tryPromise({
    try: () => lookUp(host),
    catch: () => new BadTarget({ message: `The host ${host} has no address.` })
  })
})
