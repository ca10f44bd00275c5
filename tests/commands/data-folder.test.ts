// Two processes never use one data folder, and a killed process leaves it free and complete.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createUsedData } from '../support/embedded-data.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { until } from '../support/system.ts'

vi.setConfig({ testTimeout: 900_000, hookTimeout: 180_000 })

let dataDir: string
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  const usedData = await createUsedData()
  usedData.copyTo(dataDir)
  usedData.remove()
})
afterEach(() => {
  killLeftovers()
  rmSync(dataDir, { recursive: true, force: true })
})

test('of two processes that start at the same time one runs, and after its kill -9 the next one has all data', async () => {
  const started = await Promise.all([start(), start()])
  const [winner, ...others] = started.filter(({ url }) => url !== '')
  expect(others).toEqual([])
  const loser = started.find(({ url }) => url === '')
  expect(await loser?.ended).toBe(1)
  expect(loser?.output()).toBe(`${dataDir} is in use by process ${winner?.pid}; stop it, or set DATA_DIR\n`)
  const id = await submit(winner?.url ?? '')
  await winner?.end('SIGKILL')
  const next = await start()
  await until(
    async () => (await fetch(`${next.url}/task_status/${id}`)).json() as Promise<{ status: string }>,
    ({ status }) => status === 'SUCCESS',
  )
  expect(await next.end('SIGTERM')).toBe(0)
})

test('a start is refused while another process runs, and possible when it has stopped', async () => {
  const first = await start()
  const second = await start()
  expect(await second.ended).toBe(1)
  expect(second.output()).toBe(`${dataDir} is in use by process ${first.pid}; stop it, or set DATA_DIR\n`)
  expect(await first.end('SIGTERM')).toBe(0)
  const third = await start()
  expect(third.url).not.toBe('')
  expect(await third.end('SIGTERM')).toBe(0)
})

function start() {
  return startMain('dev', { DATA_DIR: dataDir })
}

async function submit(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/tasks/reverse`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ input: { text: 'ab' }, options: { delay_seconds: 1 } }),
  })
  expect(response.status).toBe(202)
  return ((await response.json()) as { id: string }).id
}
