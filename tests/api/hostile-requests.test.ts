// Hostile requests as raw bytes to a system without API keys. Each gets an expected status, without internal
// details.
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ATTACKS } from '../support/attacks.ts'
import { collectAll } from '../support/garbage-collection.ts'
import { exchange } from '../support/raw-http.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import {
  anything,
  createHarmlessCheck,
  createOneFilePage,
  fillIn,
  prepareTasks,
} from './support/hostile-requests.ts'

const { webRoot, remove } = createOneFilePage()
afterAll(remove)
const expectHarmless = createHarmlessCheck(webRoot)

test('there are more than 600 attacks, and their names are unique', () => {
  expect(ATTACKS.length).toBeGreaterThan(600)
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length)
})

describe('a system without API keys', () => {
  let system: TestSystem
  let finished = ''
  let waiting = ''
  beforeAll(async () => {
    system = await startSystem({ definitions: [anything], webRoot })
    ;[finished, waiting] = await prepareTasks(system)
  })
  afterAll(() => system.stop())

  test.each(ATTACKS)('$name', async ({ request, expected }) => {
    const response = await exchange(system.url, fillIn(request, finished, waiting))
    expectHarmless(response, expected)
  })

  test('still runs tasks after all attacks', async () => {
    const { id } = await system.submit('reverse', { text: 'still running' })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      result: { text: 'gninnur llits' },
    })
  })

  test('has reported no internal error', () => {
    expect(system.emitted('error.unexpected')).toEqual([])
  })

  test('has an unchanged Object.prototype', () => {
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  test('has freed the memory of the attacks', () => {
    // Hundreds of bodies of up to 256 KiB and their responses would exceed this limit if they were kept.
    collectAll()
    expect(process.memoryUsage().heapUsed).toBeLessThan(400 * 1024 * 1024)
  })

  test('has not opened a Redis connection for each queue name of the attacks', async () => {
    const redis = createClient({ url: system.redis.url })
    await redis.connect()
    const list = String(await redis.sendCommand(['CLIENT', 'LIST']))
    // A hundred producers, and the connections of the worker and the signals.
    expect(list.split('\n').length).toBeLessThan(150)
    await redis.close()
  })
})
