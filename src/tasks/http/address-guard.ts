// Decides to which addresses outgoing requests may connect: to the public internet and to the entries of
// HTTP_REQUEST_ALLOW. Otherwise clients could use a worker to reach its own host, its private network, or
// the metadata service of its cloud (server-side request forgery).
import ipaddr from 'ipaddr.js'

export interface AddressGuard {
  /**
   * Checks whether a request may connect to `address`, to which `host` resolves. Both are equal if the URL
   * contains a literal IP address.
   */
  isAllowed(host: string, address: string): boolean
}

/**
 * Creates the guard.
 * @param allow hosts, addresses and ranges (CIDR) that are allowed in addition to public addresses
 */
export function createAddressGuard(allow: readonly string[] = []): AddressGuard {
  const ranges = allow.map(rangeOf).filter((range) => range !== null)
  const hosts = new Set(allow.filter((entry) => rangeOf(entry) === null).map(normalized))
  return {
    isAllowed(host, text) {
      if (hosts.has(normalized(host))) return true
      const address = addressOf(text)
      return address !== null && (isPublic(address) || ranges.some((range) => isWithin(address, range)))
    },
  }
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = [Address, number]

// Address of a platform service of Azure, which only virtual machines of Azure can reach. It must be listed
// here, because it looks like a public address.
const AZURE_HOST = '168.63.129.16'
// The only range from which public unicast addresses are assigned (IANA, IPv6 Global Unicast Address
// Assignments). Other unicast addresses are unassigned or contain an IPv4 address, such as the deprecated
// ::127.0.0.1.
const IPV6_GLOBAL_UNICAST: Range = [ipaddr.IPv6.parse('2000::'), 3]

/**
 * Checks whether an address is public: of the kind `unicast` in ipaddr.js. All other kinds are refused, also
 * those that a later version of ipaddr.js adds, because the list of special ranges grows.
 */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4
    ? address.toString() !== AZURE_HOST
    : isWithin(address, IPV6_GLOBAL_UNICAST)
}

function isWithin(address: Address, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits)
}

/**
 * Parses an IP address; null if it is invalid. Packets to an IPv4-mapped address, or through NAT64 to an
 * address in 64:ff9b::/96, reach the IPv4 address in its last 32 bits, so that IPv4 address is returned.
 * Other forms that contain an IPv4 address (6to4, Teredo, local NAT64) are not decoded: they are obsolete and
 * never public.
 */
function addressOf(text: string): Address | null {
  if (!ipaddr.isValid(text)) return null
  const address = ipaddr.parse(text)
  if (address instanceof ipaddr.IPv4) return address
  const isForIpv4 = address.isIPv4MappedAddress() || isWithin(address, NAT64)
  return isForIpv4 ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address
}

const NAT64: Range = [ipaddr.IPv6.parse('64:ff9b::'), 96]

/** Parses an entry of HTTP_REQUEST_ALLOW as a range of addresses; null if the entry is a host name. */
function rangeOf(entry: string): Range | null {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry)
  const address = addressOf(entry)
  return address && [address, address instanceof ipaddr.IPv4 ? 32 : 128]
}

/** Makes host names comparable: `Hooks.Internal.` and `hooks.internal` are the same host. */
function normalized(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}
