// docker/backup.sh and docker/restore.sh in containers: a host that lost its volumes, and a host that runs.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { send, untilEnded } from './support/client.ts'
import { run } from './support/docker.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped

async function submit(options = {}): Promise<string> {
  const { status, body } = await send(stack, 'POST', '/v1/tasks/reverse', { input: { text: 'ab' }, options })
  expect(status).toBe(202)
  return (body as { id: string }).id
}

const read = async (id: string) => {
  const { status, body } = await send(stack, 'GET', `/v1/tasks/${id}`)
  return { status, body }
}

describe.skipIf(!provided)('a backup', () => {
  let ended: string
  let endedBefore: unknown
  let waiting: string[]
  let delayed: string
  const restore = () => {
    const [name = ''] = readdirSync(join(stack.folder, 'backups')).filter((each) => each.endsWith('.dump'))
    return run('docker/restore.sh', [join('backups', name)], stack.folder)
  }

  test('is restored on a host without volumes: nothing is lost, and what had ended does not run again', async () => {
    ended = await submit()
    await untilEnded(stack, [ended])
    endedBefore = await read(ended)
    expect((await send(stack, 'POST', '/v1/queues/default/pause')).status).toBe(200)
    waiting = [await submit(), await submit(), await submit()]
    delayed = await submit({ delay_seconds: 3_600 })
    expect(await run('docker/backup.sh', ['backups'], stack.folder)).toMatchObject({ code: 0 })

    await compose(stack, ['down', '-v', '-t', '10'])
    expect(await restore()).toMatchObject({ code: 0, output: expect.stringContaining('docker compose up') })
    await compose(stack, ['up', '-d', '--wait', '--wait-timeout', '180'])
    expect(await read(ended)).toEqual(endedBefore)
    for (const id of [...waiting, delayed]) expect((await read(id)).body).toMatchObject({ status: 'PENDING' })
    expect((await send(stack, 'POST', '/v1/queues/default/resume')).status).toBe(200)
    for (const task of await untilEnded(stack, waiting))
      expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { text: 'ba' } })
    expect((await read(delayed)).body).toMatchObject({ status: 'PENDING' })
    expect(await read(ended)).toEqual(endedBefore)
  })

  test('is restored on a host that runs, with its Redis, and the same containers run again', async () => {
    const later = await submit()
    await untilEnded(stack, [later])
    const containers = () => Promise.all(['api', 'worker'].map((service) => containersOf(stack, service)))
    const before = await containers()
    expect(await restore()).toMatchObject({ code: 0, output: expect.stringContaining('run again') })
    expect(await containers()).toEqual(before)
    // The script waits until the API responds.
    expect((await read(later)).status).toBe(404)
    for (const id of [...waiting, delayed]) expect((await read(id)).body).toMatchObject({ status: 'PENDING' })
    expect((await send(stack, 'POST', '/v1/queues/default/resume')).status).toBe(200)
    for (const task of await untilEnded(stack, waiting))
      expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(await read(ended)).toEqual(endedBefore)
    expect((await send(stack, 'POST', `/v1/tasks/${delayed}/cancel`)).status).toBe(200)
  })
})
