// Starts a private Redis on the loopback interface: for `npm start` without REDIS_URL, tests and benchmarks.
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pause } from '../base/loop.ts'
import { type ChildServer, freePort, startChildServer } from './child-server.ts'

export interface RedisServer {
  /** URL of the server, with its password: `redis://:password@127.0.0.1:port` */
  url: string
  /** Process id of the Redis server, for tests that kill it. It changes with `restart`. */
  readonly pid: number
  /** Starts an empty server at the same address. Tests call it after they have killed the server. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts Redis without persistence: all tasks are in Postgres, from where workers enqueue them again.
 * @param findPort returns a free port. It is called up to `PORT_TRIES` times, because another program can
 *   take the port before Redis does.
 * @throws Error if Redis is not installed and cannot be installed, or does not start
 */
export async function startRedisServer(findPort = freePort): Promise<RedisServer> {
  const program = findProgram()
  const password = randomBytes(16).toString('hex')
  const folder = mkdtempSync(join(tmpdir(), 'waggle-redis-'))
  const settings = join(folder, 'redis.conf')
  let { server, port } = await startOnFreePort()
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    get pid() {
      return server.pid
    },
    async restart() {
      await server.stop()
      server = await start(port)
    },
    async stop() {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }

  async function startOnFreePort() {
    for (let triesLeft = PORT_TRIES; ; triesLeft--) {
      const port = await findPort()
      try {
        return { port, server: await start(port) }
      } catch (error) {
        if (triesLeft <= 1) throw error
      }
    }
  }

  async function start(port: number): Promise<ChildServer> {
    // The password is passed in a file with mode 600, because all users of the machine can see command line
    // arguments.
    writeFileSync(
      settings,
      `bind 127.0.0.1\nport ${port}\nrequirepass ${password}\nsave ""\nappendonly no\ndir ${folder}\n`,
      { mode: 0o600 },
    )
    const child = await startChildServer([program, settings])
    try {
      await waitUntilReady(port, password)
    } catch (error) {
      await child.stop()
      throw error
    }
    return child
  }
}

const PORT_TRIES = 3

/**
 * Returns the name of the installed Redis program: `redis-server` or `valkey-server`. If there is none, it is
 * installed with the system's package manager.
 */
function findProgram(): string {
  const found = findRedisProgram()
  if (found) return found
  installRedis()
  const installed = findRedisProgram()
  if (installed) return installed
  throw new Error(INSTALL_HINT)
}

const PROGRAMS = ['redis-server', 'valkey-server']
const INSTALL_HINT =
  'No redis-server was found and it could not be installed. Install Redis 6.2 or newer (Debian and Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; Alpine: apk add redis; macOS: brew install redis), or set REDIS_URL.'

/** Returns the name of the installed Redis program; undefined if there is none. */
export function findRedisProgram(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0)
}

const INSTALLERS = [
  {
    manager: 'apt-get',
    // apt fails if it runs twice at a time. Test files that run in parallel start Redis in several processes,
    // so the first one installs it, and the others wait.
    script: `exec 9>/var/lock/waggle-install-redis && flock 9
      command -v redis-server || { apt-get update -q && apt-get install -y -q --no-install-recommends redis-server; }`,
  },
  { manager: 'dnf', script: 'dnf install -y -q valkey || dnf install -y -q redis' },
  { manager: 'apk', script: 'apk add --no-cache redis' },
  { manager: 'brew', script: 'brew install redis' },
]

function installRedis() {
  const installer = INSTALLERS.find(({ manager }) => hasCommand(manager))
  if (!installer) throw new Error(INSTALL_HINT)
  const isRoot = process.getuid?.() === 0 || installer.manager === 'brew'
  if (!isRoot && !hasCommand('sudo')) throw new Error(INSTALL_HINT)
  process.stderr.write(`Redis is not installed: installing it with ${installer.manager}\n`)
  // RUNLEVEL=1 (single-user mode) prevents the Debian package from starting a Redis service on port 6379.
  const environment = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' }
  const shell = ['sh', '-c', installer.script]
  const [command, ...args] = isRoot ? shell : ['sudo', '-E', ...shell]
  try {
    execFileSync(command as string, args, { stdio: ['inherit', 'pipe', 'pipe'], env: environment })
  } catch (cause) {
    throw new Error(INSTALL_HINT, { cause })
  }
}

function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0
}

/**
 * Resolves when Redis is ready, i.e. accepts the password on this port.
 * @throws Error if another program responds on the port, or if nothing listens on it for ten seconds
 */
async function waitUntilReady(port: number, password: string): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const response = await send(port, `AUTH ${password}\r\n`)
    if (response?.startsWith('+OK')) return
    if (response !== null)
      throw new Error(`Port ${port} was taken by another program before redis-server could use it`)
    if (Date.now() > deadline)
      throw new Error(`redis-server did not listen on port ${port} within 10 seconds`)
    await pause(10)
  }
}

// How long a response to AUTH may take. Redis responds within milliseconds, on a busy machine within seconds.
const RESPONSE_TIMEOUT_MS = 5_000

/**
 * Sends one command to Redis and resolves with the beginning of the response: '' after a timeout, null if the
 * connection fails.
 */
function send(port: number, command: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: RESPONSE_TIMEOUT_MS })
    const end = (response: string | null) => {
      resolve(response)
      socket.destroy()
    }
    socket.once('connect', () => socket.write(command))
    socket.once('data', (response) => end(String(response)))
    socket.once('timeout', () => end(''))
    socket.once('close', () => end(null))
    socket.once('error', () => end(null))
  })
}
