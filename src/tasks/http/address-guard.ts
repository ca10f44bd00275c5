// Which addresses our requests may go to: those of the public internet, and what the setting HTTP_REQUEST_ALLOW names.
// Whoever may submit a task must not reach through us what only we can reach: our own host, our network, the metadata
// service of the cloud we run in.
import ipaddr from 'ipaddr.js'

export interface AddressGuard {
  /** Whether a request to this host may be sent to this address of it. For a literal address both are the same. */
  isAllowed(host: string, address: string): boolean
}

/** @param allow hosts, addresses and ranges (CIDR) that are allowed although they are not public */
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

// Azure answers for its virtual machines here, and only to them: public by its number, internal by its nature.
const AZURE_HOST = '168.63.129.16'
// All that is given out as public unicast (IANA, IPv6 Global Unicast Address Assignments). Anything else that looks like
// unicast is not in use, or carries an IPv4 address, as the deprecated ::127.0.0.1 does.
const IPV6_GLOBAL_UNICAST: Range = [ipaddr.IPv6.parse('2000::'), 3]

/** Unknown kinds of addresses are not public: the list of what is allowed is short, that of what is not grows. */
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
 * The address that is really meant: packets to an IPv4-mapped address, and through NAT64 to one below 64:ff9b::/96, go to
 * the IPv4 address in its last 32 bits. Other such forms (6to4, Teredo, local NAT64) are out of use and stay refused.
 */
function addressOf(text: string): Address | null {
  if (!ipaddr.isValid(text)) return null
  const address = ipaddr.parse(text)
  if (address instanceof ipaddr.IPv4) return address
  const isForIpv4 = address.isIPv4MappedAddress() || isWithin(address, NAT64)
  return isForIpv4 ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address
}

const NAT64: Range = [ipaddr.IPv6.parse('64:ff9b::'), 96]

/** null for the name of a host */
function rangeOf(entry: string): Range | null {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry)
  const address = addressOf(entry)
  return address && [address, address instanceof ipaddr.IPv4 ? 32 : 128]
}

/** `Hooks.Internal.` and `hooks.internal` are one host. */
function normalized(host: string): string {
  return host.toLowerCase().replace(/\.$/, '')
}
