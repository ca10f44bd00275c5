// The commands of scripts/ as child processes, as a person starts them, with the real AWS CLI against moto.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { account } from '../account.ts'
import { namesOf, SECRETS } from '../src/names.ts'
import { startMoto } from './support/moto.ts'
import { type SystemsManager, startSystemsManager } from './support/systems-manager.ts'

const [FIRST, SECOND] = ['1111111', '2222222'] as const
const MAIN = new URL('../main.ts', import.meta.url).pathname
const { paths, database, rolloutDocument } = namesOf('staging')
const HOSTS = { 'api-1': 'api', 'worker-1': 'worker', 'worker-2': 'worker', redis: 'redis' }

const moto = await startMoto()
afterAll(() => moto?.stop())

describe.skipIf(!moto)('against moto', () => {
  let manager: SystemsManager
  let site: Server
  let siteUrl: string
  /** Whether the API rejects submissions. */
  let isBroken = false
  /** Names of the hosts by instance id. */
  const names = new Map<string, string>()
  const temporary = mkdtempSync(join(tmpdir(), 'waggle-test-aws-'))

  beforeAll(async () => {
    if (!moto) throw new Error('moto_server is not installed')
    manager = await startSystemsManager(moto)
    site = createServer((request, response) => serve(request, response, isBroken)).listen(0, '127.0.0.1')
    await once(site, 'listening')
    const address = site.address()
    if (address === null || typeof address === 'string') throw new Error('The server does not listen')
    siteUrl = `http://127.0.0.1:${address.port}`
    for (const [name, role] of Object.entries(HOSTS)) names.set(await startInstance(name, role), name)
    await createDatabase()
  })
  afterAll(async () => {
    site?.closeAllConnections()
    site?.close()
    await manager?.stop()
    rmSync(temporary, { recursive: true })
  })

  /** Runs `node main.ts …`. */
  function waggle(args: string[], input = '') {
    return run(
      process.execPath,
      [MAIN, ...args],
      {
        ...manager.env,
        TMPDIR: temporary,
        WAGGLE_URL: siteUrl,
      },
      input,
    )
  }

  async function aws(...args: string[]) {
    const { code, output } = await run(
      'aws',
      [...args, '--region', account.region, '--output', 'json'],
      manager.env,
    )
    if (code !== 0) throw new Error(output)
    return output.trim() === '' ? {} : JSON.parse(output)
  }

  async function createDatabase(): Promise<void> {
    const { Subnets } = await aws('ec2', 'describe-subnets')
    const subnets = Subnets.map(({ SubnetId }: Record<string, string>) => SubnetId)
    const group = ['--db-subnet-group-name', database]
    const description = ['--db-subnet-group-description', 'test', '--subnet-ids', ...subnets]
    await aws('rds', 'create-db-subnet-group', ...group, ...description)
    const text =
      `--db-instance-identifier ${database} --db-instance-class db.t4g.micro --engine postgres ` +
      '--master-username waggle_master --manage-master-user-password --allocated-storage 20 ' +
      '--backup-retention-period 7 --tags Key=Environment,Value=staging'
    await aws('rds', 'create-db-instance', ...group, ...text.split(' '))
  }

  async function startInstance(name: string, role: string): Promise<string> {
    const tags = Object.entries({ Project: 'waggle', Environment: 'staging', Role: role, Host: name })
    const list = tags.map(([Key, Value]) => `{Key=${Key},Value=${Value}}`).join(',')
    const { Instances } = await aws(
      'ec2',
      'run-instances',
      '--image-id',
      'ami-12c6146b',
      '--count',
      '1',
      '--tag-specifications',
      `ResourceType=instance,Tags=[${list}]`,
    )
    return Instances[0].InstanceId
  }

  async function parametersBelow(path: string): Promise<Record<string, string>> {
    const { Parameters } = await aws(
      'ssm',
      'get-parameters-by-path',
      '--path',
      path,
      '--recursive',
      '--with-decryption',
    )
    return Object.fromEntries(Parameters.map(({ Name, Value }: Record<string, string>) => [Name, Value]))
  }
  const releases = async () => {
    const found = await parametersBelow(paths.release)
    return [found[paths.releaseCurrent], found[paths.releasePrevious]]
  }
  /** Names of the hosts of all rollouts since the last call. */
  function rollouts(): string[] {
    const sent = manager.commands.splice(0).filter(({ document }) => document === rolloutDocument)
    return sent.flatMap(({ instances, parameters }) =>
      instances.map((id) => `${names.get(id)} ${parameters.tag?.[0]}`).sort(),
    )
  }

  test('init-secrets creates all secrets once, encrypted, and leaves no file', async () => {
    const { code, output } = await waggle(['init-secrets', 'staging'])
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/Your API key.*\n {2}wgl_/),
    })
    const secrets = [
      ...SECRETS.app.map((name) => `${paths.app}/${name}`),
      ...SECRETS.api.map((name) => `${paths.role('api')}/${name}`),
    ]
    expect(Object.keys(await parametersBelow(paths.root)).sort()).toEqual(secrets.sort())
    const { Parameters } = await aws('ssm', 'describe-parameters')
    expect(new Set(Parameters.map(({ Type }: { Type: string }) => Type))).toEqual(new Set(['SecureString']))
    expect(await waggle(['init-secrets', 'staging'])).toEqual({
      code: 0,
      output: 'All secrets exist; nothing was changed\n',
    })
    expect(readdirSync(temporary)).toEqual([])
  })

  test('status names what is missing before the first release', async () => {
    const { code, output } = await waggle(['status', 'staging'])
    expect(code).toBe(1)
    expect(output).toContain('Faults:\n  There is no release yet\n')
    expect(output).toMatch(/worker-2 {2}worker {2}i-\w+ .* online {2}-\n/)
  })

  test('rollout starts the first release on all hosts', async () => {
    const { code, output } = await waggle(['rollout', 'staging', FIRST])
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining(`${FIRST} runs on all hosts`),
    })
    expect(rollouts()).toEqual(['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`))
    expect(await releases()).toEqual([FIRST, undefined])
    expect(readdirSync(temporary)).toEqual([])
  })

  test('rollout of another release, and rollback', async () => {
    await aws(
      'ssm',
      'put-parameter',
      '--type',
      'String',
      '--name',
      `${paths.ready}/i-00000000000000000`,
      '--value',
      FIRST,
    )
    expect(await waggle(['rollout', 'staging', SECOND])).toMatchObject({ code: 0 })
    expect(rollouts()).toEqual(['redis', 'worker-1', 'worker-2', 'api-1'].map((name) => `${name} ${SECOND}`))
    expect(await releases()).toEqual([SECOND, FIRST])
    const reports = Object.keys(await parametersBelow(paths.ready))
    expect(reports.sort()).toEqual([...names.keys()].map((id) => `${paths.ready}/${id}`).sort())

    expect(await waggle(['rollback', 'staging'])).toMatchObject({ code: 0 })
    expect(rollouts()).toEqual(['api-1', 'worker-1', 'worker-2', 'redis'].map((name) => `${name} ${FIRST}`))
    expect(await releases()).toEqual([FIRST, SECOND])
  })

  test('rollout returns to the current release if the smoke test fails', async () => {
    isBroken = true
    const { code, output } = await waggle(['rollout', 'staging', SECOND])
    isBroken = false
    expect(code).toBe(1)
    expect(output).toContain(`${SECOND} was rolled back to ${FIRST}`)
    expect(await releases()).toEqual([FIRST, SECOND])
    rollouts()
  })

  test('smoke tests the public URL with the key from Parameter Store', async () => {
    expect(await waggle(['smoke', 'staging'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('Task reverse: SUCCESS'),
    })
  })

  test('status finds no fault', async () => {
    const { code, output } = await waggle(['status', 'staging'])
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining('staging has no fault'),
    })
    expect(output).toMatch(new RegExp(`${database} {2}available`))
  })

  test('exec runs a command on all hosts of a role', async () => {
    const { code, output } = await waggle([
      'exec',
      'staging',
      'worker',
      `echo "it's $HOME"`,
      '--container',
      'worker',
    ])
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/worker-1 \(i-\w+\): exit code 0/),
    })
    const [command] = manager.commands.splice(0)
    expect(command?.instances.map((id) => names.get(id)).sort()).toEqual(['worker-1', 'worker-2'])
    expect(command?.parameters.commands?.at(-1)).toBe(
      `docker compose exec -T worker sh -c 'echo "it'\\''s $HOME"'`,
    )
  })

  test('rotate replaces the passwords of the database and of Redis', async () => {
    const before = await parametersBelow(paths.app)
    expect(await waggle(['rotate', 'staging', 'database'])).toMatchObject({ code: 0 })
    expect(rollouts()).toEqual(['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`))
    expect(await waggle(['rotate', 'staging', 'redis'])).toMatchObject({ code: 0 })
    const shell = manager.commands.flatMap(({ parameters }) => parameters.commands?.at(-1) ?? [])
    expect(shell).toEqual(['host/redis-password.sh add', 'host/redis-password.sh set'])
    const after = await parametersBelow(paths.root)
    for (const name of ['DATABASE_PASSWORD', 'REDIS_PASSWORD'])
      expect(after[`${paths.app}/${name}`], name).not.toBe(before[`${paths.app}/${name}`])
    expect(Object.keys(after).filter((name) => name.startsWith(paths.rotation))).toEqual([])
    manager.commands.length = 0
  })

  test('restore creates a new instance from the latest snapshot, and switch puts it in place', async () => {
    await aws(
      'rds',
      'create-db-snapshot',
      '--db-instance-identifier',
      database,
      '--db-snapshot-identifier',
      'before-the-mistake',
    )
    const { code, output } = await waggle(['restore', 'staging', '--snapshot', 'latest'])
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('is available') })
    const [restored = ''] = /waggle-staging-restored-\d+/.exec(output) ?? []
    expect(await instance(restored)).toMatchObject({
      DBInstanceClass: 'db.t4g.micro',
      BackupRetentionPeriod: 7,
      DBSubnetGroup: { DBSubnetGroupName: database },
      TagList: expect.arrayContaining([
        { Key: 'Environment', Value: 'staging' },
        // --switch accepts only an instance with this tag.
        { Key: 'RestoredAs', Value: restored },
      ]),
    })

    const refused = await waggle(['restore', 'staging', '--switch', restored], 'yes\n')
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('Nothing was changed') })
    const switched = await waggle(['restore', 'staging', '--switch', restored], `${database}\n`)
    expect(switched).toMatchObject({
      code: 0,
      output: expect.stringContaining('npm run infra:adopt -- staging'),
    })
    const { DBInstances } = await aws('rds', 'describe-db-instances')
    const identifiers = DBInstances.map((found: Record<string, string>) => found.DBInstanceIdentifier).sort()
    expect(identifiers).toEqual([database, expect.stringMatching(/^waggle-staging-old-\d{14}$/)])
    // Moto copies the resource id. A restore always sets this option, and the first instance does not have
    // it.
    expect(await instance(database)).toMatchObject({ CopyTagsToSnapshot: true })
    expect(await instance(identifiers[1])).toMatchObject({ CopyTagsToSnapshot: false })
    const secret = `${paths.role('api')}/MASTER_SECRET_ARN`
    expect((await parametersBelow(paths.role('api')))[secret]).toMatch(/^arn:aws:secretsmanager:/)
  })

  test('restore creates a new instance as of a time', async () => {
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const { code, output } = await waggle(['restore', 'staging', '--time', time])
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('is available') })
    const wrong = await waggle(['restore', 'staging', '--time', 'yesterday'])
    expect(wrong).toEqual({
      code: 1,
      output: expect.stringContaining('--time yesterday: must be a time in UTC'),
    })
  })

  async function instance(name: string) {
    const { DBInstances } = await aws('rds', 'describe-db-instances', '--db-instance-identifier', name)
    return DBInstances[0]
  }
})

function run(program: string, args: string[], env: NodeJS.ProcessEnv, input = '') {
  return new Promise<{ code: number; output: string }>((resolve) => {
    const child = execFile(program, args, { env, maxBuffer: 64 * 1_024 ** 2 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + (error ? stderr : '') }),
    )
    child.stdin?.end(input)
  })
}

/** A page and an API that work, or an API that rejects submissions. */
function serve(request: IncomingMessage, response: ServerResponse, isBroken: boolean): void {
  const hasKey = !isBroken && String(request.headers['x-api-key']).startsWith('wgl_')
  const responses: Record<string, [number, string]> = {
    'GET /health': [200, '{}'],
    'HEAD /health': [200, ''],
    'GET /': [200, '<script type="module" src="./assets/index-1.js"></script>'],
    'GET /assets/index-1.js': [200, 'fetch("/v1/tasks")'],
    'POST /v1/tasks/reverse': hasKey ? [202, '{"id": "1"}'] : [401, '{}'],
    'GET /v1/tasks/1?wait=10': hasKey ? [200, '{"status": "SUCCESS"}'] : [401, '{}'],
  }
  const [status, body] = responses[`${request.method} ${request.url}`] ?? [404, '']
  request.resume()
  response.writeHead(status).end(body)
}
