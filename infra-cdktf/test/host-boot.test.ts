// host/bootstrap.sh at the first boot, with fakes of AWS, Docker and all programs that change the machine.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HOST_SCRIPTS, INSTANCE } from './support/fake-host.ts'
import {
  BOOTSTRAP,
  currentTag,
  envLines,
  expectSuccess,
  FIRST,
  paths,
  SECOND,
  startHost,
  VALUES,
} from './support/started-host.ts'

test('every script is valid Bash', () => {
  const scripts = readdirSync(HOST_SCRIPTS).filter((name) => name.endsWith('.sh'))
  expect(scripts.length).toBeGreaterThan(3)
  for (const name of scripts) {
    const { status, stderr } = spawnSync('bash', ['-n', join(HOST_SCRIPTS, name)], { encoding: 'utf8' })
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' })
    expect(statSync(join(HOST_SCRIPTS, name)).mode & 0o111, name).not.toBe(0)
  }
})

test('user data contains no account, region, password or environment', () => {
  const text = readFileSync(BOOTSTRAP, 'utf8')
  expect(text).not.toMatch(/\d{12}|eu-central|us-east|AKIA|password=|\bprod\b/)
})

describe('the first boot', () => {
  test('stores the identity, installs packages, and starts nothing before the first rollout', async () => {
    const host = startHost('worker')
    const { code, output } = await host.run(BOOTSTRAP)
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining('There is no release yet'),
    })
    expect(host.read('etc/waggle/identity')).toBe(
      `ENVIRONMENT=prod\nROLE=worker\nHOST_NAME=worker-1\nINSTANCE_ID=${INSTANCE}\nPRIVATE_ADDRESS=10.30.0.5\nAWS_DEFAULT_REGION=eu-central-1\n`,
    )
    expect(JSON.parse(host.read('root/.docker/config.json'))).toEqual({
      credHelpers: { [VALUES.ECR_REGISTRY ?? '']: 'ecr-login' },
    })
    expect(JSON.parse(host.read('etc/docker/daemon.json'))).toMatchObject({ 'live-restore': true })
    const calls = host.calls()
    expect(calls.filter((call) => call.startsWith('apt-get')).join()).toContain(
      'docker.io docker-compose-v2 amazon-ecr',
    )
    expect(calls.filter((call) => /^(docker|mount|mkfs)/.test(call))).toEqual([])
    expect(existsSync(join(host.root, 'usr/local/sbin/waggle-host'))).toBe(true)
    expect(JSON.parse(host.read('../fakes/log-events.json'))).toMatchObject([
      { message: 'Preparing this host' },
      { message: 'a line with "quotes"' },
    ])
  })

  test('sets a time at night for reboots after updates, in another hour for each host of a role', async () => {
    const timeOf = async (name: string) => {
      const host = startHost('worker', {}, name)
      await expectSuccess(host.run(BOOTSTRAP))
      const file = 'etc/apt/apt.conf.d/52waggle-reboots'
      expect(statSync(join(host.root, file)).mode & 0o777).toBe(0o644)
      const settings = host.read(file)
      expect(settings).toContain('Unattended-Upgrade::Automatic-Reboot "true";')
      return /Automatic-Reboot-Time "(0[0-5]:[0-5]\d)";/.exec(settings)?.[1] ?? settings
    }
    const times = await Promise.all(['worker-1', 'worker-2', 'worker-cpu-8', 'worker'].map(timeOf))
    expect(times.map((time) => time.slice(0, 2))).toEqual(['01', '02', '02', '00'])
  })

  test.each([
    ['a worker of the auto scaling group', 'worker', 'worker', 1],
    ['another host', 'worker', 'worker-1', 0],
    ['a host with the API', 'api', 'api', 0],
  ] as const)('of %s (%s, %s) reports its launch %i times', async (_, role, name, reports) => {
    const host = startHost(role, {}, name)
    await expectSuccess(host.run(BOOTSTRAP))
    expect(
      host.calls().filter((call) => call.startsWith('aws autoscaling complete-lifecycle-action')),
    ).toHaveLength(reports)
  })

  test('of a scaled worker reports no launch if the release does not start', async () => {
    const host = startHost('worker', { [paths.releaseCurrent]: FIRST }, 'worker')
    host.fake('does-not-start')
    expect(await host.run(BOOTSTRAP)).not.toMatchObject({ code: 0 })
    expect(host.calls().join()).not.toContain('complete-lifecycle-action')
  })

  test('starts the current release and reports it in Parameter Store', async () => {
    const host = startHost('worker', { [paths.releaseCurrent]: FIRST })
    await expectSuccess(host.run(BOOTSTRAP))
    expect(currentTag(host)).toBe(`releases/${FIRST}`)
    expect(envLines(host)).toContain(`WAGGLE_TAG=${FIRST}`)
    expect(readdirSync(join(host.root, 'etc/systemd/system'))).toContain('waggle.service')
    const calls = host.calls()
    expect(calls).toContain(`docker pull -q ${VALUES.ECR_REGISTRY}/waggle-web:${FIRST}`)
    expect(calls.find((call) => call.includes('compose') && call.includes(' up '))).toContain('--wait')
    expect(calls).toContain('systemctl enable -q --now waggle-metrics.timer waggle-prune.timer')
    expect(calls.at(-1)?.startsWith('aws logs')).toBe(true)
    expect(calls.find((call) => call.includes('put-parameter'))).toContain(
      `--name ${paths.ready}/${INSTANCE} --value ${FIRST}`,
    )
  })

  test('of a Redis host formats the attached EBS volume if it is blank, before Docker is installed', async () => {
    const host = startHost('redis')
    host.attachVolume()
    await expectSuccess(host.run(BOOTSTRAP))
    const calls = host.calls()
    const formatted = calls.indexOf(`mkfs.xfs -q -L waggle-data ${host.root}/dev/nvme1n1`)
    const mounted = calls.findIndex((call) => call.startsWith('mount '))
    const docker = calls.findIndex((call) => call.includes('docker.io'))
    expect(formatted).toBeGreaterThan(-1)
    expect(mounted).toBeGreaterThan(formatted)
    expect(docker).toBeGreaterThan(mounted)
    expect(host.read('etc/fstab')).toContain('LABEL=waggle-data')
  })

  test('of a Redis host mounts the volume of a previous host without formatting it', async () => {
    const host = startHost('redis')
    host.attachVolume('LABEL=waggle-data')
    await expectSuccess(host.run(BOOTSTRAP))
    const calls = host.calls()
    expect(calls.filter((call) => call.startsWith('mkfs'))).toEqual([])
    expect(calls.some((call) => call.startsWith('mount '))).toBe(true)
  })

  test.each([
    ['a file system of someone else', 'LABEL=other'],
    ['a partition table', 'PTTYPE=gpt'],
  ])('of a Redis host fails if the volume contains %s', async (_, content) => {
    const host = startHost('redis')
    host.attachVolume(content)
    const { code, output } = await host.run(BOOTSTRAP)
    expect(code).toBe(1)
    expect(output).toContain('vol-0123456789abcdef0 contains other data')
    expect(host.calls().filter((call) => /^(mkfs|mount)/.test(call))).toEqual([])
  })

  test('of a Redis host never uses another disk while the volume is not attached', async () => {
    const host = startHost('redis')
    const { code, output } = await host.run(BOOTSTRAP)
    expect(code).toBe(1)
    expect(output).toContain('The volume vol-0123456789abcdef0 was not attached')
    expect(host.calls().filter((call) => /^(mkfs|mount|apt-get.*docker)/.test(call))).toEqual([])
  })

  test('waits until its role may read the settings', async () => {
    const host = startHost('redis')
    host.attachVolume()
    host.fake('denied-calls', '3')
    await expectSuccess(host.run(BOOTSTRAP))
    expect(host.read('etc/fstab')).toContain('LABEL=waggle-data')
  })

  test('with a release waits until Terraform has written the addresses of the database and the cache', async () => {
    const host = startHost('app', { [paths.releaseCurrent]: FIRST })
    host.attachVolume()
    host.fake('calls-without-addresses', '8')
    await expectSuccess(host.run(BOOTSTRAP))
    expect(host.calls().filter((call) => call.includes('compose') && call.includes(' up '))).toHaveLength(1)
    expect(currentTag(host)).toBe(`releases/${FIRST}`)
  })

  test.each(['aws-is-away', 'no-settings'])(
    'fails with %s instead of keeping Redis on the root disk',
    async (fault) => {
      const host = startHost('redis')
      host.attachVolume()
      if (fault === 'no-settings') host.fake('parameters.json', '{}')
      else host.fake(fault)
      const { code, output } = await host.run(BOOTSTRAP)
      expect(code).toBe(1)
      expect(output).toContain('The settings of this host are not in Parameter Store')
      expect(host.calls().filter((call) => /^(mkfs|mount|apt-get.*docker)/.test(call))).toEqual([])
    },
  )

  test('that failed is repeated at the next boot, by a rollout, or by hand', async () => {
    const host = startHost('redis')
    host.fake('aws-is-away')
    expect(await host.run(BOOTSTRAP)).toMatchObject({ code: 1 })
    const unit = host.read('etc/systemd/system/waggle-prepare.service')
    expect(unit).toContain('ExecStart=/usr/local/sbin/waggle-host prepare')
    expect(unit).toContain('ConditionPathExists=!/etc/waggle/prepared')
    expect(host.calls()).toContain('systemctl enable -q waggle-prepare.service')

    host.repair('aws-is-away')
    host.attachVolume()
    await expectSuccess(host.run(join(host.root, 'usr/local/sbin/waggle-host'), 'rollout', FIRST))
    expect(host.calls().some((call) => call.startsWith('mkfs'))).toBe(true)
    expect(currentTag(host)).toBe(`releases/${FIRST}`)
    expect(existsSync(join(host.root, 'etc/waggle/prepared'))).toBe(true)

    await expectSuccess(host.run(BOOTSTRAP, 'rollout', SECOND))
    expect(host.calls().filter((call) => /^(mkfs|apt-get)/.test(call))).toEqual([])
  })

  test.each(['', 'worker; reboot'])(
    'fails with the value %j in the tag Role and names the tag',
    async (role) => {
      const host = startHost('worker')
      host.fake('tags/Role', role)
      const { code, output } = await host.run(BOOTSTRAP)
      expect(code).toBe(1)
      expect(output).toContain(`The metadata of the instance is not valid: ROLE=${role}`)
      expect(existsSync(join(host.root, 'etc/waggle/identity'))).toBe(false)
    },
  )
})
