// Starts moto, an emulator of AWS, on a free port.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { programsOf } from './tools.ts'

export interface Moto {
  url: string
  /** Environment in which the AWS CLI and Terraform use this emulator. The AWS CLI is first in PATH. */
  env: NodeJS.ProcessEnv
  /** Deletes everything in the emulator. */
  reset(): Promise<void>
  stop(): Promise<void>
}

/**
 * @returns undefined, after a message, without Python
 * @throws Error if the server does not start within 3 minutes
 */
export async function startMoto(): Promise<Moto | undefined> {
  const programs = programsOf('aws')
  if (!programs) return undefined
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = join(import.meta.dirname, 'moto_server.py')
  const child = spawn(join(programs, 'python'), [server, '-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = once(child, 'exit')
  const deadline = Date.now() + 180_000
  while (
    !(await fetch(`${url}/moto-api/`)
      .then((response) => response.ok)
      .catch(() => false))
  ) {
    if (child.exitCode !== null) throw new Error(`moto_server ended with code ${child.exitCode}`)
    if (Date.now() > deadline) throw new Error('moto_server did not start within 3 minutes')
    await pause(200)
  }
  return {
    url,
    env: {
      ...process.env,
      PATH: `${programs}${delimiter}${process.env.PATH}`,
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_EC2_METADATA_DISABLED: 'true',
      // One retry only, so that a request that moto does not support fails soon.
      AWS_MAX_ATTEMPTS: '2',
    },
    async reset() {
      await fetch(`${url}/moto-api/reset`, { method: 'POST' })
    },
    async stop() {
      child.kill()
      await ended
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number } // a TCP server has an address with a port
  server.close()
  await once(server, 'close')
  return port
}
