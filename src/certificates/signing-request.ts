// A certificate signing request (PKCS #10, RFC 2986) for one name, in DER. Node has no function for it.
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { isIPv4 } from './certificate-settings.ts'

// Tags of ASN.1 (X.690, 8.1.2).
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const SEQUENCE = 0x30
const SET = 0x31
/** The attributes of a request, and the kinds of names in a subject alternative name (RFC 5280, 4.2.1.6). */
const ATTRIBUTES = 0xa0
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

// Object identifiers in DER, with their tag and length.
const EXTENSION_REQUEST = Buffer.from('06092a864886f70d01090e', 'hex') // 1.2.840.113549.1.9.14
const SUBJECT_ALTERNATIVE_NAME = Buffer.from('0603551d11', 'hex') // 2.5.29.17
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex') // 1.2.840.10045.4.3.2

/**
 * Returns a request for a domain name or an IPv4 address. The subject is empty: ACME servers read the subject
 * alternative name only.
 * @param key an ECDSA key
 */
export function createSigningRequest(domain: string, key: KeyObject): Buffer {
  const name = isIPv4(domain)
    ? der(IP_ADDRESS, Buffer.from(domain.split('.').map(Number)))
    : der(DNS_NAME, Buffer.from(domain))
  const extension = der(SEQUENCE, SUBJECT_ALTERNATIVE_NAME, der(OCTET_STRING, der(SEQUENCE, name)))
  const attribute = der(SEQUENCE, EXTENSION_REQUEST, der(SET, der(SEQUENCE, extension)))
  const version = der(INTEGER, Buffer.of(0))
  const subject = der(SEQUENCE)
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const information = der(SEQUENCE, version, subject, publicKey, der(ATTRIBUTES, attribute))
  // The first byte of a bit string is the number of unused bits.
  const signature = der(BIT_STRING, Buffer.of(0), sign('sha256', information, key))
  return der(SEQUENCE, information, der(SEQUENCE, ECDSA_WITH_SHA256), signature)
}

/** Encodes a value: its tag, its length, its content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  // Up to 127 in one byte, above in a byte with the number of further bytes and these bytes (X.690, 8.1.3).
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), content])
}
