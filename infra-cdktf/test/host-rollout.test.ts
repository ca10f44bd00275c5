// Rollouts on one host (host/bootstrap.sh), and the database role (host/database-role.sh).
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { INSTANCE } from './support/fake-host.ts'
import {
  BOOTSTRAP,
  currentTag,
  expectSuccess,
  FIRST,
  paths,
  SECOND,
  startHost,
  startRunningHost,
  VALUES,
} from './support/started-host.ts'

describe('a rollout on a host', () => {
  test('installs the scripts of the new version and keeps those of the old one', async () => {
    const host = await startRunningHost('worker')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining(`worker-1 runs ${SECOND}`),
    })
    expect(currentTag(host)).toBe(`releases/${SECOND}`)
    expect(readdirSync(join(host.root, 'opt/waggle/releases')).sort()).toEqual([FIRST, SECOND])
    const calls = host.calls()
    expect(calls).toContain(`rollout.sh ${SECOND} over ${FIRST}`)
    expect(calls.at(-1)).toContain(`--name ${paths.ready}/${INSTANCE} --value ${SECOND}`)
  })

  test('that fails leaves the old version current and does not report the new one', async () => {
    const host = await startRunningHost('worker')
    host.addImages(SECOND, 'echo "The new worker does not stay up" >&2; exit 1')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect(code).toBe(1)
    expect(output).toContain('does not stay up')
    expect(currentTag(host)).toBe(`releases/${FIRST}`)
    expect(host.calls().filter((call) => /put-parameter|systemctl/.test(call))).toEqual([])
  })

  test('after which nginx does not serve DOMAIN fails, and the new version, which runs, is current', async () => {
    const host = await startRunningHost('app')
    host.addImages(SECOND, `echo "${SECOND} is running, but nginx does not run" >&2; exit 3`)
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect([code, output]).toEqual([3, expect.stringContaining('but nginx does not run')])
    expect(currentTag(host)).toBe(`releases/${SECOND}`)
    expect(host.calls().filter((call) => call.includes('put-parameter'))).toEqual([])
  })

  test('to images that do not exist changes nothing', async () => {
    const host = await startRunningHost('worker')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', '3333333')
    expect(code).toBe(1)
    expect(output).toContain(`Cannot pull the image ${VALUES.ECR_REGISTRY}/waggle-web:3333333`)
    expect(currentTag(host)).toBe(`releases/${FIRST}`)
  })

  test.each(['', 'latest', '1111111; reboot', '$(reboot)', '123456'])('to %j is rejected', async (tag) => {
    const host = startHost('worker')
    host.pretendToRun(FIRST)
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', tag)
    expect(code).toBe(1)
    expect(output).toContain('is not a commit')
    expect(host.calls()).toEqual([])
  })

  test('fails while another rollout is under way', async () => {
    const host = await startRunningHost('worker')
    host.addImages(SECOND, `bash ${BOOTSTRAP} rollout ${FIRST}`)
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect(code).toBe(1)
    expect(output).toContain('Another rollout is under way')
  })

  test.each([
    ['worker', 1],
    ['worker-1', 0],
  ])('of the host %s reports a launch that its boot could not report %i times', async (name, reports) => {
    const host = startHost('worker', { [paths.releaseCurrent]: FIRST }, name)
    host.fake('does-not-start')
    expect(await host.run(BOOTSTRAP)).not.toMatchObject({ code: 0 })
    host.repair('does-not-start')
    await expectSuccess(host.run(BOOTSTRAP, 'rollout', FIRST))
    expect(host.calls().filter((call) => call.includes('complete-lifecycle-action'))).toHaveLength(reports)
  })

  test('after a first release that was killed while it started starts the host again', async () => {
    const host = startHost('worker')
    await expectSuccess(host.run(BOOTSTRAP))
    host.fake('is-killed-at-start')
    expect(await host.run(BOOTSTRAP, 'rollout', FIRST)).not.toMatchObject({ code: 0 })
    expect(existsSync(join(host.root, 'opt/waggle/current'))).toBe(true)
    host.repair('is-killed-at-start')
    host.calls()
    await expectSuccess(host.run(BOOTSTRAP, 'rollout', SECOND))
    expect(currentTag(host)).toBe(`releases/${SECOND}`)
    const calls = host.calls()
    expect(calls.some((call) => call.includes('compose') && call.includes(' up '))).toBe(true)
    expect(calls).toContain('systemctl start waggle.service')
    expect(calls.join()).not.toContain('rollout.sh')
  })

  test('to a first release that does not start leaves the host unchanged, so that it can be repeated', async () => {
    const host = startHost('worker')
    await expectSuccess(host.run(BOOTSTRAP))
    host.fake('does-not-start')
    expect(await host.run(BOOTSTRAP, 'rollout', FIRST)).toMatchObject({ code: 1 })
    expect(existsSync(join(host.root, 'opt/waggle/current'))).toBe(false)
  })
})

describe('the database role', () => {
  test('is not changed if it can log in, and the master password is not read', async () => {
    const host = await startRunningHost('app')
    await expectSuccess(host.run(BOOTSTRAP, 'up'))
    const calls = host.calls()
    expect(calls.some((call) => call.includes('--entrypoint node migrate'))).toBe(true)
    expect(calls.some((call) => call.includes('secretsmanager'))).toBe(false)
  })

  test('is created with the master password otherwise, which never appears in a process list', async () => {
    const host = await startRunningHost('app')
    host.fake('role-status', '3')
    host.fake('master-secret.json', JSON.stringify({ username: 'waggle_master', password: 'x"y$z' }))
    await expectSuccess(host.run(BOOTSTRAP, 'up'))
    const calls = host.calls()
    expect(calls).toContain('as waggle_master with 5 characters')
    expect(calls.join()).not.toContain('x"y$z')
    expect(calls.join()).toContain(`--secret-id ${VALUES.MASTER_SECRET_ARN}`)
  })

  test('is not checked on a host that runs only workers', async () => {
    const host = await startRunningHost('worker')
    await expectSuccess(host.run(BOOTSTRAP, 'up'))
    expect(host.calls().some((call) => call.includes('migrate'))).toBe(false)
  })
})
