// scripts/exec.ts and scripts/logs.ts.
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { exec, openSession } from '../scripts/exec.ts'
import { logArguments } from '../scripts/logs.ts'
import { createFakeAws } from './support/fake-aws.ts'
import { configOf } from './support/layouts.ts'

const config = configOf('staging', 'multi')

function start(names = ['api-1', 'redis', 'worker-1', 'worker-2']) {
  const fake = createFakeAws('staging', names)
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  return { fake, lines, parts: { aws: fake.aws, config, print, polling: { pollMs: 1 } } }
}

describe('exec', () => {
  test('runs a command on all hosts of a role, and prints output and exit codes', async () => {
    const { fake, lines, parts } = start()
    expect(await exec(parts, 'worker', 'uptime')).toBe(0)
    expect(fake.shellCommands).toEqual(['worker-1: uptime', 'worker-2: uptime'])
    expect(lines).toEqual([
      'output of worker-1',
      'worker-1 (i-worker-1): exit code 0',
      'output of worker-2',
      'worker-2 (i-worker-2): exit code 0',
    ])
  })

  test('does not put the command into the comment, which everyone who may list commands can read', async () => {
    const { fake, parts } = start()
    const comments: unknown[] = []
    const watched: typeof fake.aws = (args, input) => {
      if (args[1] === 'send-command') comments.push(input?.Comment)
      return fake.aws(args, input)
    }
    await exec({ ...parts, aws: watched }, 'redis', 'echo a-secret')
    expect(comments).toEqual(['waggle exec'])
  })

  test.each(['worker-2', 'i-worker-2'])('runs a command on %s only', async (target) => {
    const { fake, parts } = start()
    await exec(parts, target, 'uptime')
    expect(fake.shellCommands).toEqual(['worker-2: uptime'])
  })

  test('returns the exit code of the command', async () => {
    const { fake, lines, parts } = start()
    fake.failing.add('false')
    expect(await exec(parts, 'redis', 'false')).toBe(7)
    expect(lines.at(-1)).toBe('redis (i-redis): exit code 7')
  })

  test('runs a command in a container, and the shell on the host does not interpret it', async () => {
    const { fake, parts } = start()
    const command = `echo "it's $HOME"; exit 3`
    await exec(parts, 'api', command, { container: 'api' })
    const [sent = ''] = fake.shellCommands
    // Replaces docker by a function that prints its last argument.
    const script = `docker() { printf %s "\${!#}"; }\n${sent.slice('api-1: '.length)}`
    expect(spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout).toBe(command)
    expect(sent).toMatch(/^api-1: docker compose exec -T api sh -c '/)
  })

  test('on more than 50 hosts runs in batches', async () => {
    const { fake, parts } = start(Array.from({ length: 70 }, (_, index) => `worker-${index + 1}`))
    expect(await exec(parts, 'worker', 'uptime')).toBe(0)
    expect(fake.shellCommands).toHaveLength(70)
  })

  test.each(['api', 'worker', 'worker-cpu', 'app'])('finds the single host by the role %s', async (role) => {
    const { fake, parts } = start(['app'])
    const workers = { count: 1, concurrency: 4, kinds: { cpu: { concurrency: 4, queues: ['cpu'] } } }
    const config = configOf('staging', 'single', { workers })
    expect(await exec({ ...parts, config }, role, 'uptime')).toBe(0)
    expect(fake.shellCommands).toHaveLength(1)
    await expect(exec({ ...parts, config }, 'worker-gpu', 'uptime')).rejects.toThrow('known are app')
  })

  test('names the known hosts and roles if none matches', async () => {
    const { parts } = start(['api-1', 'worker-1'])
    await expect(exec(parts, 'web', 'uptime')).rejects.toThrow(
      'No host of waggle-staging has the role or name "web"; known are api, api-1, worker, worker-1',
    )
  })

  test('rejects a service that is not a name', async () => {
    const { parts } = start()
    await expect(exec(parts, 'api', 'id', { container: 'api; reboot' })).rejects.toThrow('is not a service')
  })

  test('opens a session only in a terminal', async () => {
    const { parts } = start()
    await expect(openSession(parts, async () => 0, 'api', {})).rejects.toThrow('needs a terminal')
  })
})

describe('logs', () => {
  const defaults = { since: '1h', follow: false }

  test.each([
    ['api', 'staging-backend-logs'],
    ['worker', 'staging-worker-logs'],
    ['rollout', '/waggle/staging/rollout'],
    ['host', '/waggle/staging/host'],
    ['database', '/aws/rds/instance/waggle-staging/postgresql'],
  ])('of %s are in %s', (target, group) => {
    expect(logArguments(config, target, defaults)).toEqual([
      'logs',
      'tail',
      group,
      '--format',
      'short',
      '--since',
      '1h',
    ])
  })

  test.each([
    ['task "a\\b"', '"task \\"a\\\\b\\""'],
    ['{ $.level >= 40 }', '{ $.level >= 40 }'],
  ])('are filtered by the text %j as the pattern %j', (filter, pattern) => {
    const line = logArguments(config, 'worker', { since: '2d', follow: true, filter, host: 'worker-cpu' })
    expect(line.slice(5)).toEqual([
      '--since',
      '2d',
      '--follow',
      '--filter-pattern',
      pattern,
      '--log-stream-name-prefix',
      'worker-cpu',
    ])
  })

  test.each([
    ['nginx', defaults, '"nginx" is not a log: choose api, worker'],
    ['api', { ...defaults, since: 'yesterday' }, '--since yesterday: must be a duration'],
    ['rollout', { ...defaults, host: 'api-1' }, '--host is not possible with rollout'],
  ])('of %s with %j are rejected', (target, options, message) => {
    expect(() => logArguments(config, target, options)).toThrow(message)
  })
})
