// The calls of the client that concern schedules.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiError, createClient } from 'waggle-tasks/client'
import type config from '../../waggle.config.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

const connect = (fetch?: typeof globalThis.fetch) =>
  createClient<typeof config>({ baseUrl: system.url, fetch, retryForMs: 5_000 })

test('a schedule is created, listed, read, paused, resumed, previewed, run and deleted', async () => {
  const { schedules, waitFor } = connect()
  const request = { definition: 'reverse', input: { text: 'abc' }, every_seconds: 86_400 } as const
  const created = await schedules.put('nightly', request)
  expect(created).toMatchObject({ name: 'nightly', every_seconds: 86_400, source: 'api' })
  expect(await schedules.put('nightly', request)).toMatchObject({ name: 'nightly' })
  expect((await schedules.list()).data.map(({ name }) => name)).toEqual(['nightly'])
  expect((await schedules.list({ limit: 1, cursor: 'nightly' })).data).toEqual([])
  expect(await schedules.pause('nightly')).toMatchObject({ is_paused: true })
  expect(await schedules.resume('nightly')).toMatchObject({ is_paused: false })
  expect((await schedules.preview('nightly', { count: 2 })).data).toHaveLength(2)
  expect((await schedules.preview(request)).data).toHaveLength(20)
  const task = await schedules.run('nightly')
  expect(await waitFor(task.id)).toMatchObject({ status: 'SUCCESS', result: { text: 'cba' } })
  expect((await schedules.get('nightly')).runs).toMatchObject([{ task_id: task.id, is_manual: true }])
  expect(await schedules.delete('nightly')).toBeUndefined()
  await expect(schedules.get('nightly')).rejects.toThrow(ApiError)
  await expect(schedules.delete('nightly')).rejects.toMatchObject({ code: 'unknown_schedule' })
})

test('a run whose response was lost is not repeated', async () => {
  await connect().schedules.put('once', {
    definition: 'reverse',
    input: { text: 'a' },
    every_seconds: 86_400,
  })
  let sent = 0
  const losesResponses: typeof fetch = async (...given) => {
    sent++
    await fetch(...given)
    throw new TypeError('the connection broke')
  }
  await expect(connect(losesResponses).schedules.run('once')).rejects.toMatchObject({ code: 'unreachable' })
  expect(sent).toBe(1)
})

test('a schedule has the types of its definition', () => {
  const compiled = ({ schedules }: ReturnType<typeof connect>) => {
    void schedules.put('x', { definition: 'divide', input: { x: 1, y: 2 }, cron: '0 0 * * *' })
    // @ts-expect-error there is no such definition
    void schedules.put('x', { definition: 'divid', input: { x: 1, y: 2 }, cron: '0 0 * * *' })
    // @ts-expect-error an input of another definition
    void schedules.put('x', { definition: 'divide', input: { text: 'a' }, cron: '0 0 * * *' })
    // @ts-expect-error an unknown member
    void schedules.put('x', { definition: 'divide', input: { x: 1, y: 2 }, crom: '0 0 * * *' })
  }
  expect(compiled).toBeTypeOf('function')
})
