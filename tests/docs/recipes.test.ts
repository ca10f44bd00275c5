// The recipes of docs/recipes: their pages show the code that runs here, and in the other *-recipe.test.ts.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineConfig, type TaskDefinition } from 'waggle-tasks'
import { startTestSystem } from 'waggle-tasks/testing'
import { nightlyReport } from '../../docs/recipes/nightly-report.ts'
import { syncCustomer } from '../../docs/recipes/sync-customer.ts'
import { syncStock } from '../../docs/recipes/sync-stock.ts'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
import { mostWithin } from '../support/sliding-window.ts'
import { startSystem, until } from '../support/system.ts'

const readRecipe = (name: string) =>
  readFileSync(new URL(`../../docs/recipes/${name}`, import.meta.url), 'utf8')

const SHOWN: [page: string, path: string][] = [
  ['flaky-api.md', 'tasks/charge-card.ts'],
  ['limits.md', 'tasks/sync-customer.ts'],
  ['nightly-report.md', 'tasks/nightly-report.ts'],
  ['pdf.md', 'tasks/render-invoice.ts'],
  ['pdf.md', 'tasks/invoice-routes.ts'],
  ['python.md', 'waggle.py'],
  ['python-callbacks.md', 'receive_callback.py'],
  ['python-task.md', 'tasks/summarize.py'],
  ['python-task.md', 'tasks/summarize.ts'],
  ['python-task.md', 'tasks/run-program.ts'],
  ['sync-stock.md', 'tasks/sync-stock.ts'],
  ['worker-kinds.md', 'tasks/count-primes.ts'],
]

test.each(SHOWN)('%s contains %s', (page, path) => {
  const [language, comment] = path.endsWith('.py') ? ['python', '#'] : ['ts', '//']
  const code = readRecipe(basename(path))
  expect(readRecipe(page)).toContain(`\`\`\`${language}\n${comment} ${path}\n${code}\`\`\``)
})

test('every page of the recipes shows files, and every file is shown', () => {
  // vps.md has shell commands only. tests/package/nextjs.test.ts compares the files in the folder nextjs.
  const others = ['__pycache__', 'nextjs', 'nextjs.md', 'vps.md']
  const files = readdirSync(new URL('../../docs/recipes', import.meta.url))
  expect(files.filter((name) => !others.includes(name)).toSorted()).toEqual(
    [...new Set(SHOWN.flatMap(([page, path]) => [page, basename(path)]))].toSorted(),
  )
})

test('limits: calls for a customer do not overlap, at most five start in any second, and no change is sent twice', async () => {
  const server = await startCountingServer()
  const system = await startSystem({ worker: false, definitions: [syncCustomer as TaskDefinition] })
  onTestFinished(() => system.stop())
  for (const worker of [1, 2]) system.startWorker({ version: `${worker}` })
  const inputs = Array.from({ length: 25 }, (_, index) => ({
    customer: `c-${index % 3}`,
    version: index,
    url: server.url,
  }))
  const submitted = [...inputs, ...inputs].map((input) => system.service.submit('sync_customer', input))
  const ids = (await Promise.all(submitted)).map(({ id }) => id)
  expect(ids.slice(inputs.length)).toEqual(ids.slice(0, inputs.length))
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === inputs.length,
  )
  expect(server.overlaps).toEqual([])
  expect(server.calls).toHaveLength(inputs.length)
  const rows = await system.connections.database.query<{ ms: number }>(
    sql`select extract(epoch from started_at)::float8 * 1000 as ms from tasks`,
  )
  const starts = rows.map(({ ms }) => ms)
  expect(mostWithin(starts, 1_000)).toBeLessThanOrEqual(5)
  // The server counts by its own clock, and calls are delayed differently: this is no guarantee.
  process.stdout.write(`calls within a second at the server: ${mostWithin(server.calls, 1_000)}\n`)
})

test('nightly report: one report per night, also where clocks are changed and after an outage', async () => {
  const server = await startCountingServer(0)
  const definition = withInput(nightlyReport as TaskDefinition, server.url)
  await using system = await startTestSystem({ config: defineConfig({ tasks: [definition] }) })
  const { client, clock } = system
  const read = () => client.schedules.get('nightly-report')
  await until(
    () => client.schedules.list(),
    ({ data }) => data.length === 1,
  )
  const reports: string[] = []

  /** Moves the clock to a time, and waits for the one report that is due by then. */
  async function expectReport(tickAt: string, atMs = Date.parse(tickAt)) {
    await clock.advance({ milliseconds: atMs - Date.now() })
    const { runs } = await until(read, ({ runs }) => runs.length > reports.length)
    const [run] = runs
    reports.push(tickAt)
    expect(runs.map(({ tick_at }) => tick_at).slice(0, reports.length)).toEqual(reports.toReversed())
    const done = await client.waitFor(run?.task_id ?? '')
    expect(done).toMatchObject({ status: 'SUCCESS', result: { status: 200 } })
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(atMs)
  }

  for (const { ticks, noTicks } of nextChanges()) {
    const [before, ...others] = ticks as [string, ...string[]]
    // The nights until then are an outage of weeks, which ends at noon: one report for all of them.
    await expectReport(before, Date.parse(before) + 10 * HOUR_MS)
    for (const tick of others) {
      expect((await read()).next_at).toBe(tick)
      await clock.advance({ milliseconds: Date.parse(tick) - 5_000 - Date.now() })
      await expectReport(tick)
    }
    expect(noTicks.filter((tick) => reports.includes(tick))).toEqual([])
  }
  expect(server.calls).toHaveLength(reports.length)
  expect(reports).toHaveLength(8)
})

/**
 * The next two changes of the clocks in Berlin, at 01:00 UTC of the last Sunday of March and October. `ticks`: the
 * report of the night before, that of the change, and two after it. `noTicks`: other times at which the clocks show
 * 02:30, or would show it without the change.
 */
function nextChanges() {
  const changes = [2, 9].flatMap((month) => {
    const dates = [0, 1].map((years) => lastSunday(new Date().getUTCFullYear() + years, month))
    const date = dates.find((each) => each.getTime() > Date.now() + 3 * DAY_MS) as Date
    const at = (days: number, time: string) =>
      `${new Date(date.getTime() + days * DAY_MS).toISOString().slice(0, 10)}T${time}:00.000Z`
    const isSpring = month === 2
    return {
      date,
      ticks: isSpring
        ? [at(-1, '01:30'), at(0, '01:00'), at(1, '00:30'), at(2, '00:30')]
        : [at(-1, '00:30'), at(0, '00:30'), at(1, '01:30'), at(2, '01:30')],
      noTicks: isSpring ? [at(0, '00:30'), at(0, '01:30')] : [at(0, '01:30')],
    }
  })
  return changes.toSorted((a, b) => a.date.getTime() - b.date.getTime())
}

function lastSunday(year: number, month: number): Date {
  const last = new Date(Date.UTC(year, month + 1, 0))
  return new Date(last.getTime() - last.getUTCDay() * DAY_MS)
}

test('sync: no two calls overlap, whether ticks, clients or runs on request start them', async () => {
  const server = await startCountingServer(1_700)
  const url = `${server.url}/stock`
  const everySecond = withInput(syncStock as TaskDefinition, url, { everySeconds: 1 })
  const system = await startSystem({ worker: false, definitions: [everySecond] })
  onTestFinished(() => system.stop())
  for (const version of ['1', '2']) system.startWorker({ version, scheduleMs: 100 })
  await until(
    () => system.connections.scheduleStore.find('sync-stock'),
    (row) => row !== undefined,
  )
  const met = { submissions: 0, runs: 0 }
  await until(
    async () => {
      await pause(400)
      const { isExisting } = await system.service.submit('sync_stock', { url })
      if (isExisting) met.submissions++
      await pause(400)
      const { status } = await system.request('POST', '/v1/schedules/sync-stock/run')
      if (status === 200) met.runs++
      return system.connections.scheduleStore.find('sync-stock')
    },
    (row) =>
      server.overlaps.length > 0 ||
      (server.calls.length >= 5 && (row?.skipped ?? 0) > 0 && met.submissions > 0 && met.runs > 0),
  )
  expect(server.overlaps).toEqual([])
})

/** The definition with other members of its schedules: their input is the URL of a local server. */
function withInput(definition: TaskDefinition, url: string, more: object = {}): TaskDefinition {
  return {
    ...definition,
    schedules: definition.schedules?.map((each) => ({ ...each, ...more, input: { url } })),
  }
}

/** Starts a server that notes when calls begin, and which customers have two calls at one time. */
async function startCountingServer(callMs = CALL_MS) {
  const calls: number[] = []
  const overlaps: string[] = []
  const open = new Set<string>()
  const server = createServer((request, response) => {
    const customer = request.url?.split('/')[1] ?? ''
    calls.push(performance.now())
    if (open.has(customer)) overlaps.push(customer)
    open.add(customer)
    setTimeout(() => {
      open.delete(customer)
      response.end()
    }, callMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, calls, overlaps }
}

// Longer than a fifth of a second: with three customers, both limits delay tasks.
const CALL_MS = 250
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
