// The files of the volume `certificates`: the key of the ACME account, the responses to challenges, and one
// file per domain with the private key and the certificate chain. nginx reads that file twice per TLS
// handshake, for the certificate and for the key.
//
// The private key and the certificate are in one file, so that a rename replaces both. A renewal keeps the
// key, so that they also match if the file is replaced between the two reads of nginx.
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../base/errors.ts'

export interface StoredCertificate {
  key: KeyObject
  /** Directory URL of the ACME server that has issued the certificate. */
  directoryUrl: string
  serial: string
  validFrom: Date
  validTo: Date
}

const CHALLENGES = 'challenges'
// A key and its chain have 3 to 8 KB.
const PROBE_BYTES = 64 * 1024
/** PEM allows text before its blocks (RFC 7468, 5.2). This line stores the directory URL. */
const ISSUED_BY = 'ACME server: '

/** Generates a private key: ECDSA P-256, which every client that knows TLS 1.2 supports. */
export const generateKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** @throws Error if a file is not readable, or if its content is not valid */
export function createCertificateFolder(folder: string) {
  const fileOf = (domain: string) => join(folder, `${domain}.pem`)
  const challengeOf = (token: string) => join(folder, CHALLENGES, token)
  return {
    /** Returns the key of the account. Creates it at the first call. */
    async accountKey(): Promise<KeyObject> {
      const file = join(folder, 'account-key.pem')
      const text = await readIfExists(file)
      try {
        if (text) return createPrivateKey(text)
      } catch (error) {
        throw new Error(
          `${file} is not valid (${messageOf(error)}): delete this file, then the next attempt creates an account`,
        )
      }
      const key = generateKey()
      await writeAtomically(file, pemOf(key))
      return key
    },

    /** Returns undefined if there is no certificate for the domain. */
    async read(domain: string): Promise<StoredCertificate | undefined> {
      const file = fileOf(domain)
      const text = await readIfExists(file)
      try {
        return text === undefined ? undefined : parse(text)
      } catch (error) {
        throw new Error(
          `${file} is not valid (${messageOf(error)}): delete this file, then the next attempt orders a certificate`,
        )
      }
    },

    /**
     * Writes and deletes the file that `write` renames, so that no certificate is ordered that could not be
     * stored.
     */
    async probe(domain: string): Promise<void> {
      const next = nextOf(fileOf(domain))
      await writeDurably(next, ' '.repeat(PROBE_BYTES))
      await rm(next)
    },

    /** Replaces the certificate. @returns the new content */
    async write(
      domain: string,
      { key, chain, directoryUrl }: { key: KeyObject; chain: string; directoryUrl: string },
    ): Promise<StoredCertificate> {
      const text = `${ISSUED_BY}${directoryUrl}\n${pemOf(key)}${chain}`
      const stored = parse(text)
      await writeAtomically(fileOf(domain), text)
      return stored
    },

    /** Publishes the response to a challenge, which nginx serves. The token must be valid base64url. */
    async publishChallenge(token: string, response: string): Promise<void> {
      if (!/^[\w-]+$/.test(token)) throw new Error(`The token "${token}" is not base64url`)
      await writeAtomically(challengeOf(token), response)
    },

    async removeChallenge(token: string): Promise<void> {
      await rm(challengeOf(token), { force: true })
    },
  }
}

export type CertificateFolder = ReturnType<typeof createCertificateFolder>

function parse(text: string): StoredCertificate {
  const key = createPrivateKey(text)
  const certificate = new X509Certificate(text)
  if (!certificate.checkPrivateKey(key)) throw new Error('The certificate does not belong to its private key')
  const [firstLine = ''] = text.split('\n', 1)
  return {
    key,
    directoryUrl: firstLine.startsWith(ISSUED_BY) ? firstLine.slice(ISSUED_BY.length) : '',
    serial: certificate.serialNumber,
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
  }
}

const pemOf = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }))

async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes and renames, so that readers find the old or the new content, also after a power failure. */
async function writeAtomically(file: string, text: string): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const next = nextOf(file)
  await writeDurably(next, text)
  await rename(next, file)
  await using opened = await open(folder, 'r')
  await opened.sync()
}

const nextOf = (file: string) => `${file}.new`

async function writeDurably(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'w', 0o600)
  await handle.writeFile(text)
  await handle.sync()
}
