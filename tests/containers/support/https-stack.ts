// Runs all of Waggle with HTTPS, from the images of the other stack, beside an ACME server: Pebble, the
// server that Let's Encrypt provides for tests of clients.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { freePort } from '../../../src/embedded/child-server.ts'
import type { Client } from './client.ts'
import { docker, run } from './docker.ts'
import { compose, type Stack, TAGS } from './stack.ts'

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

/** Returns the additions to the compose files. */
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

/** @param validitySeconds lifetime of the certificates that Pebble issues */
export async function startHttpsStack(other: Stack, validitySeconds: number): Promise<HttpsStack> {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-https-'))
  for (const name of ['docker', 'docker-compose.yml', 'docker-compose.https.yml'])
    cpSync(join(other.folder, name), join(folder, name), { recursive: true })
  const project = `${other.project}-https`
  // removeStack removes all images with this prefix.
  const pebbleImage = `${other.project}/pebble`
  const [port, httpsPort] = [await freePort(), await freePort()]
  const { output } = await run('env', [`DOMAIN=${DOMAIN}`, 'docker/init-env.sh'], folder)
  const apiKey = /wgl_\w+/.exec(output)?.[0] ?? ''
  const env = join(folder, '.env')
  const settings = {
    WAGGLE_PORT: `127.0.0.1:${port}`,
    WAGGLE_HTTPS_PORT: `127.0.0.1:${httpsPort}`,
    COMPOSE_PROJECT_NAME: project,
    WAGGLE_NETWORK: project,
    WAGGLE_IMAGE: `${other.project}/app`,
    WAGGLE_WEB_IMAGE: `${other.project}/web`,
    WAGGLE_TAG: TAGS[0],
    ACME_DIRECTORY_URL: DIRECTORY,
    SHUTDOWN_GRACE_SECONDS: '10',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  const written = readFileSync(env, 'utf8')
  writeFileSync(env, written.replace(/^COMPOSE_FILE=.*$/m, '$&:docker-compose.pebble.yml') + lines.join(''))
  writeFileSync(join(folder, 'docker-compose.pebble.yml'), composeOf(pebbleImage))
  await run('mkdir', ['acme'], folder)
  await run('openssl', [...CERTIFICATE_OF_PEBBLE, '-keyout', 'acme/key.pem', '-out', 'acme/ca.pem'], folder)
  const stack = {
    folder,
    project,
    url: `http://127.0.0.1:${port}`,
    httpsUrl: `https://127.0.0.1:${httpsPort}`,
    apiKey,
  }
  configurePebble(stack, validitySeconds)
  const dockerfile =
    'FROM debian:bookworm-slim\\nRUN apt-get update -q && apt-get install -y -q --no-install-recommends pebble'
  const build = 'printf "$0" | docker build -q -t "$1" -'
  const { code, output: log } = await run('sh', ['-c', build, dockerfile, pebbleImage])
  if (code !== 0) throw new Error(`The image of Pebble could not be built: ${log}`)
  await compose(stack, ['up', '-d', '--wait', '--no-build', '--wait-timeout', '180'])
  return stack
}

/** Writes the configuration of Pebble, which it reads when it starts. */
export function configurePebble({ folder }: Stack, validitySeconds: number): void {
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

export async function removeHttpsStack(stack: HttpsStack): Promise<void> {
  await compose(stack, ['down', '-v', '--remove-orphans', '-t', '10'])
  rmSync(stack.folder, { recursive: true, force: true })
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
