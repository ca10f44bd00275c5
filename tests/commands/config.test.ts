// Configuration from environment variables: defaults, validation, and one message that names every invalid
// variable.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readConfig } from '../../src/config.ts'
import sample from '../../waggle.config.ts'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const SERVERS = { DATABASE_URL: 'postgres://127.0.0.1:1/x', REDIS_URL: 'redis://127.0.0.1:1' }

describe('readConfig', () => {
  test('has a default for every variable that is not required', () => {
    expect(readConfig({})).toMatchObject({
      DATA_DIR: '.data',
      HOST: '127.0.0.1',
      PORT: 8000,
      BODY_LIMIT_BYTES: 262_144,
      WORKER_CONCURRENCY: 20,
      WORKER_QUEUES: ['default'],
      RETENTION_DAYS: 30,
      LOG_LEVEL: 'info',
    })
    expect(readConfig({})).not.toHaveProperty('HEALTH_PORT')
  })

  test('reads numbers and lists', () => {
    const config = readConfig({
      ...SERVERS,
      PORT: '0',
      HEALTH_PORT: '8501',
      WORKER_QUEUES: 'default, mail ,slow',
    })
    expect(config).toMatchObject({
      ...SERVERS,
      PORT: 0,
      HEALTH_PORT: 8501,
      WORKER_QUEUES: ['default', 'mail', 'slow'],
    })
  })

  test('reads the allowed hosts of HTTP requests and the webhook secrets', () => {
    const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(24, byte).toString('base64')}`)
    const config = readConfig({
      HTTP_REQUEST_ALLOW: 'hooks.internal, 10.0.0.0/8,::1,fd00::/8,localhost,192.168.0.7',
      WEBHOOK_SECRET: secrets.join(','),
    })
    expect(config).toMatchObject({
      HTTP_REQUEST_ALLOW: ['hooks.internal', '10.0.0.0/8', '::1', 'fd00::/8', 'localhost', '192.168.0.7'],
      WEBHOOK_SECRET: secrets,
    })
  })

  test('treats an empty variable as one that is not set', () => {
    const names = Object.keys(readConfig({ ...SERVERS, HTTP_REQUEST_ALLOW: '::1', HEALTH_PORT: '1' }))
    const empty = Object.fromEntries(names.map((name) => [name, '']))
    expect(names).toContain('HEALTH_PORT')
    expect(readConfig(empty)).toEqual(readConfig({}))
    expect(faultsOf(() => readConfig(empty, ['DATABASE_URL']))).toEqual([
      'DATABASE_URL: is required for this command',
    ])
  })

  test('ignores variables of other programs', () => {
    const others = { PATH: '/bin', NODE_OPTIONS: '--x', DATABASE_URL_OLD: 'nonsense' }
    expect(readConfig({ ...SERVERS, ...others })).toEqual(readConfig(SERVERS))
  })

  test('reads the settings of a project, and reports their faults together with its own', () => {
    const schema = z.object({
      STRIPE_KEY: z.string(),
      LIMIT: z.coerce.number(),
      SMTP_URL: sample.services?.settings.shape.SMTP_URL as z.ZodType,
    })
    const valid = { STRIPE_KEY: 'sk', LIMIT: '3', SMTP_URL: 'smtps://mail.example.com' }
    expect(readConfig(valid, [], schema).project).toEqual({ ...valid, LIMIT: 3 })
    expect(
      faultsOf(() => readConfig({ PORT: 'x', SMTP_URL: 'smtp:host', STRIPE_KEY: '' }, ['REDIS_URL'], schema)),
    ).toEqual([
      'REDIS_URL: is required for this command',
      'PORT: must be a whole number',
      'STRIPE_KEY: is required',
      'LIMIT: is required',
      'SMTP_URL: must be a URL that begins with smtp:// or smtps://',
    ])
  })

  test.each([
    ['DATABASE_URL', 'mysql://localhost/x'],
    ['DATABASE_URL', 'localhost:5432'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'http://localhost'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['PORT', '8e3'],
    ['PORT', '8000.5'],
    ['PORT', ' 8000'],
    ['HEALTH_PORT', 'yes'],
    ['BODY_LIMIT_BYTES', '10'],
    ['DATABASE_POOL_SIZE', '0'],
    ['WORKER_CONCURRENCY', '0'],
    ['WORKER_QUEUES', 'Default'],
    ['WORKER_QUEUES', 'a,,b'],
    ['WORKER_QUEUES', ','],
    ['WORKER_MISSING_AFTER_SECONDS', '0'],
    ['SHUTDOWN_GRACE_SECONDS', 'long'],
    ['RETENTION_DAYS', '0.5'],
    ['RETENTION_DAYS', '-1'],
    ['LOG_LEVEL', 'loud'],
    ['HTTP_REQUEST_ALLOW', '*'],
    ['HTTP_REQUEST_ALLOW', '10.0.0.0/33'],
    ['HTTP_REQUEST_ALLOW', '10.0.0'],
    ['HTTP_REQUEST_ALLOW', 'http://hooks.internal'],
    ['HTTP_REQUEST_ALLOW', 'hooks.internal:8080'],
    ['HTTP_REQUEST_ALLOW', 'a,,b'],
    ['WEBHOOK_SECRET', 'secret'],
    ['WEBHOOK_SECRET', 'whsec_c2hvcnQ='],
    ['WEBHOOK_SECRET', `whsec_${'!'.repeat(32)}`],
    ['WEBHOOK_SECRET', `whsec_${Buffer.alloc(65).toString('base64')}`],
  ])('rejects %s=%s with a message that names the variable', (name, value) => {
    const faults = faultsOf(() => readConfig({ [name]: value }))
    expect(faults.length).toBeGreaterThan(0)
    for (const fault of faults) expect(fault).toMatch(new RegExp(`^${name}: \\S`))
  })

  test('lists all missing and all invalid variables in one error', () => {
    const environment = { PORT: 'x', LOG_LEVEL: 'loud', REDIS_URL: '', WORKER_CONCURRENCY: '0' }
    const faults = faultsOf(() => readConfig(environment, ['DATABASE_URL', 'REDIS_URL']))
    const names = faults.map((fault) => fault.split(':')[0])
    expect(names.toSorted()).toEqual(['DATABASE_URL', 'LOG_LEVEL', 'PORT', 'REDIS_URL', 'WORKER_CONCURRENCY'])
  })

  test('does not print an invalid secret', () => {
    const faults = faultsOf(() => readConfig({ WEBHOOK_SECRET: 'whsec_s3cret' }))
    expect(faults).toEqual([expect.not.stringContaining('s3cret')])
  })

  test('does not print the password of an invalid URL', () => {
    const faults = faultsOf(() => readConfig({ DATABASE_URL: 'postgre://waggle:s3cret@db/x' }))
    expect(faults).toHaveLength(1)
    expect(faults[0]).not.toContain('s3cret')
  })
})

// The tests run concurrently, because each of them starts a process.
describe.concurrent('the command line', () => {
  test.each(['api', 'worker'])(
    '%s with an invalid environment prints all faults and exits with 1',
    async (command) => {
      const { code, stdout, stderr } = await run([command], { PORT: 'x', LOG_LEVEL: 'loud' })
      expect(stderr.trim().split('\n')).toEqual([
        'The configuration is not valid:',
        expect.stringMatching(/^ {2}DATABASE_URL: /),
        expect.stringMatching(/^ {2}REDIS_URL: /),
        expect.stringMatching(/^ {2}PORT: /),
        expect.stringMatching(/^ {2}LOG_LEVEL: /),
      ])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    },
  )

  test('migrate requires DATABASE_URL only', async () => {
    const { code, stderr } = await run(['migrate'])
    expect(code).toBe(1)
    expect(stderr).toContain('DATABASE_URL')
    expect(stderr).not.toContain('REDIS_URL')
  })

  test.each(['serve', 'constructor', ''])('the unknown command "%s" is rejected', async (name) => {
    const { code, stderr } = await run([name])
    expect(stderr).toContain(`error: unknown command '${name}'`)
    expect(code).toBe(2)
  })

  test('migrate prints one line and exits with 1 when the database cannot be reached', async () => {
    const { code, stderr } = await run(['migrate'], { DATABASE_URL: SERVERS.DATABASE_URL })
    expect(stderr).toBe('The database cannot be reached\n')
    expect(code).toBe(1)
  })
})

function faultsOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    const [title, ...faults] = (error as Error).message.split('\n')
    expect(title).toBe('The configuration is not valid:')
    return faults.map((fault) => fault.trim())
  }
  return []
}

async function run(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...CHILD_ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr }
}

test('a queue that WORKER_QUEUES names twice is served once', () => {
  expect(readConfig({ WORKER_QUEUES: 'default,mail,default' }).WORKER_QUEUES).toEqual(['default', 'mail'])
})
