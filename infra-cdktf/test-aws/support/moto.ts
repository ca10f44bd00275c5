// Starts moto, an emulator of AWS, on a free port. Moto and the AWS CLI are Python packages: a virtual environment
// in infra-cdktf/.tools/aws contains them, or MOTO_SERVER is the path of moto_server.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const START_TIMEOUT_MS = 60_000

export interface Moto {
  url: string
  /** Environment in which the AWS CLI uses this emulator. The AWS CLI beside moto_server is first in PATH. */
  env: NodeJS.ProcessEnv
  stop(): Promise<void>
}

/** Starts moto without any resources. @returns undefined if it is not installed. @throws Error if it does not start */
export async function startMoto(): Promise<Moto | undefined> {
  const known = [process.env.MOTO_SERVER, join(import.meta.dirname, '../../.tools/aws/bin/moto_server')]
  const program = known.find((path) => path !== undefined && existsSync(path))
  if (!program) return undefined
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const ended = once(server, 'exit')
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await responds(url))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill()
      throw new Error('moto_server did not start within 60 s')
    }
    await pause(200)
  }
  return {
    url,
    env: {
      ...process.env,
      PATH: `${dirname(program)}${delimiter}${process.env.PATH}`,
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      // The AWS CLI must not look for the credentials of an instance.
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    async stop() {
      server.kill()
      await ended
    },
  }
}

const responds = (url: string) =>
  fetch(`${url}/moto-api/data.json`).then(
    ({ ok }) => ok,
    () => false,
  )

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No free port')
  return address.port
}
