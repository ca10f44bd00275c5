// Starts moto, a simulation of AWS, and finds the AWS CLI beside it. Both are Python packages: a virtual
// environment in infra-cdktf/.tools/aws contains them, or MOTO_SERVER is the path of moto_server.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export const REGION = 'eu-central-1'
const START_TIMEOUT_MS = 60_000

export interface Moto {
  url: string
  /** Environment for child processes: credentials, PATH with the AWS CLI, and the endpoint. */
  env: Record<string, string>
  stop(): Promise<void>
}

/** Path of moto_server, or undefined if it is not installed. */
export const motoServer = [
  process.env.MOTO_SERVER,
  join(import.meta.dirname, '../../.tools/aws/bin/moto_server'),
].find((path) => path !== undefined && existsSync(path))

/** Starts moto without any resources. @throws Error if it does not respond in time */
export async function startMoto(): Promise<Moto> {
  if (!motoServer) throw new Error('moto_server is not installed; set MOTO_SERVER to its path')
  const url = `http://127.0.0.1:${await freePort()}`
  const args = ['-H', '127.0.0.1', '-p', new URL(url).port]
  const server = spawn(motoServer, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  server.stderr.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-4_000)
  })
  const ended = once(server, 'close')
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await responds(url))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill()
      throw new Error(`moto_server does not respond: ${log}`)
    }
    await pause(200)
  }
  return {
    url,
    env: environmentOf(url),
    async stop() {
      server.kill()
      await ended
    },
  }
}

/** Returns the environment for child processes that use an endpoint of AWS. */
export function environmentOf(url: string): Record<string, string> {
  return {
    PATH: [dirname(motoServer ?? ''), dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: process.env.HOME ?? '/',
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: REGION,
    // The AWS CLI must not look for the credentials of an instance or read a configuration of this machine.
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
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
