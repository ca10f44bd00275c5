// Pebble, the ACME server that Let's Encrypt provides for tests of clients, beside a stack with HTTPS.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { freePort } from '../../../src/embedded/child-server.ts'
import type { Client } from './client.ts'
import { docker, run } from './docker.ts'
import { compose, type Stack } from './stack.ts'

/** The domain. It is an alias of nginx in the network of the stack, so that Docker's DNS resolves it. */
export const DOMAIN = 'tasks.example.com'
/** Another alias of nginx. */
export const NEW_DOMAIN = 'new.example.com'
/** A name that leads to another container than nginx. */
export const OTHER_DOMAIN = 'elsewhere.example.com'
const DIRECTORY = 'https://acme.internal:14000/dir'

export interface HttpsStack extends Stack {
  /** URL of HTTPS; `url` is that of HTTP. */
  httpsUrl: string
}

/** Returns a compose file that adds Pebble to the services, and the domains as names of nginx. */
const composeOf = (pebbleImage: string) => `
services:
  nginx:
    networks: { waggle: { aliases: [${DOMAIN}, ${NEW_DOMAIN}] } }
  certificates:
    environment: { NODE_EXTRA_CA_CERTS: /acme/ca.pem }
    volumes: ['./acme/ca.pem:/acme/ca.pem:ro']
    depends_on: { pebble: { condition: service_started } }
  pebble:
    image: ${pebbleImage}
    command: [pebble, -config, /acme/config.json]
    environment: { PEBBLE_VA_NOSLEEP: 1 }
    profiles: [edge]
    volumes: ['./acme:/acme:ro']
    networks: { waggle: { aliases: [acme.internal, ${OTHER_DOMAIN}] } }
`

const CERTIFICATE_OF_PEBBLE = [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
  ...['-subj', '/CN=acme.internal', '-addext', 'subjectAltName=DNS:acme.internal'],
]

/**
 * Adds Pebble to a folder with an `.env` that has HTTPS, and chooses the ports. `docker compose up` starts it.
 * @param image name of the image of Pebble that is built
 * @param validitySeconds lifetime of the certificates that Pebble issues
 * @returns the URLs of HTTP and HTTPS
 */
export async function addPebble(
  folder: string,
  { image, validitySeconds }: { image: string; validitySeconds: number },
): Promise<Pick<HttpsStack, 'url' | 'httpsUrl'>> {
  const [port, httpsPort] = [await freePort(), await freePort()]
  const settings = {
    WAGGLE_PORT: `127.0.0.1:${port}`,
    WAGGLE_HTTPS_PORT: `127.0.0.1:${httpsPort}`,
    ACME_DIRECTORY_URL: DIRECTORY,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  const env = join(folder, '.env')
  const written = readFileSync(env, 'utf8')
  writeFileSync(env, written.replace(/^COMPOSE_FILE=.*$/m, '$&:docker-compose.pebble.yml') + lines.join(''))
  writeFileSync(join(folder, 'docker-compose.pebble.yml'), composeOf(image))
  mkdirSync(join(folder, 'acme'))
  await run('openssl', [...CERTIFICATE_OF_PEBBLE, '-keyout', 'acme/key.pem', '-out', 'acme/ca.pem'], folder)
  configurePebble(folder, validitySeconds)
  const dockerfile =
    'FROM debian:bookworm-slim\\nRUN apt-get update -q && apt-get install -y -q --no-install-recommends pebble'
  const build = 'printf "$0" | docker build -q -t "$1" -'
  const { code, output: log } = await run('sh', ['-c', build, dockerfile, image])
  if (code !== 0) throw new Error(`The image of Pebble could not be built: ${log}`)
  return { url: `http://127.0.0.1:${port}`, httpsUrl: `https://127.0.0.1:${httpsPort}` }
}

/** Writes the configuration of Pebble, which it reads when it starts. */
export function configurePebble(folder: string, validitySeconds: number): void {
  const pebble = {
    listenAddress: '0.0.0.0:14000',
    managementListenAddress: '0.0.0.0:15000',
    certificate: '/acme/ca.pem',
    privateKey: '/acme/key.pem',
    // The port of nginx inside the network of the containers, in place of 80.
    httpPort: 8080,
    tlsPort: 5001,
    certificateValidityPeriod: validitySeconds,
  }
  writeFileSync(join(folder, 'acme/config.json'), JSON.stringify({ pebble }))
}

/** Returns a client that trusts the root certificate of Pebble. Pebble has another one after each start. */
export async function secureClient(stack: HttpsStack): Promise<Client & { tls: { ca: string } }> {
  const id = await compose(stack, ['ps', '-q', 'pebble'])
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
  const address = await docker(['inspect', '-f', format, id])
  const { output: ca } = await run('curl', ['-sk', `https://${address}:15000/roots/0`])
  return { url: stack.httpsUrl, apiKey: stack.apiKey, tls: { ca, servername: DOMAIN } }
}

/** Returns the serial number of the certificate that nginx serves, or undefined if the handshake fails. */
export function servedSerial({ httpsUrl }: HttpsStack): Promise<string | undefined> {
  const { hostname, port } = new URL(httpsUrl)
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname,
      port: Number(port),
      servername: DOMAIN,
      rejectUnauthorized: false,
    })
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.on('error', () => resolve(undefined))
  })
}
