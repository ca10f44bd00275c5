// Checks that the ports of the configuration are free, or that Waggle uses them.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { isLoopback } from '../api/http/same-site.ts'
import type { Config } from '../config.ts'
import { type Check, ok, wrong } from './check.ts'

const ANSWER_MS = 3_000

export async function checkPorts(config: Config): Promise<Check[]> {
  const { HOST: host, PORT: port, HEALTH_PORT: healthPort } = config
  return [
    await checkPort('PORT', host, port),
    ...(healthPort === undefined ? [] : [await checkPort('HEALTH_PORT', host, healthPort)]),
    checkAccess(config),
  ]
}

async function checkPort(setting: string, host: string, port: number): Promise<Check> {
  const place = `${host}:${port}`
  if (port === 0) return ok(`${setting} is 0: the system chooses a free port`)
  const code = await tryToListen(host, port)
  if (code === null) return ok(`${place} (${setting}) is free`)
  if (code === 'EACCES')
    return wrong(`This user may not use the port of ${place}: set ${setting} to 1024 or above`)
  if (code !== 'EADDRINUSE') return wrong(`${place} cannot be used (${code}): check HOST and ${setting}`)
  if (await isWaggle(host, port)) return ok(`${place} (${setting}) is used by Waggle`)
  return wrong(`${place} is used by another program: stop it, or set ${setting} to another port`)
}

/** Returns the code of the error; null if a server could listen. */
async function tryToListen(host: string, port: number): Promise<string | null> {
  const server = createServer().listen(port, host)
  try {
    await once(server, 'listening')
    return null
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    server.close()
  }
}

async function isWaggle(host: string, port: number): Promise<boolean> {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  const address = reachable.includes(':') ? `[${reachable}]` : reachable
  try {
    const signal = AbortSignal.timeout(ANSWER_MS)
    const response = await fetch(`http://${address}:${port}/health/live`, { signal })
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null && 'status' in body
  } catch {
    return false
  }
}

function checkAccess({ API_KEYS: keys, ALLOW_ANONYMOUS: allowsAnonymous, HOST: host }: Config): Check {
  if (keys) return ok(`The API requires one of ${keys.length} keys`)
  if (isLoopback(host)) return ok(`The API requires no key, and only this machine can reach it (${host})`)
  if (allowsAnonymous === 'true') return ok('The API requires no key (ALLOW_ANONYMOUS)')
  return wrong(
    `Every client that can reach ${host} can use the API: set API_KEYS (\`waggle keys create\`), or ALLOW_ANONYMOUS=true`,
  )
}
