// The recipes of docs/recipes: their pages show the code that runs here.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { TaskDefinition } from 'waggle-tasks'
import { syncCustomer } from '../../docs/recipes/sync-customer.ts'
import { sql } from '../../src/store/drizzle.ts'
import { mostWithin } from '../support/sliding-window.ts'
import { startSystem, until } from '../support/system.ts'

const readRecipe = (name: string) =>
  readFileSync(new URL(`../../docs/recipes/${name}`, import.meta.url), 'utf8')

test('limits.md contains sync-customer.ts', () => {
  expect(readRecipe('limits.md')).toContain(
    `\`\`\`ts\n// tasks/sync-customer.ts\n${readRecipe('sync-customer.ts')}\`\`\``,
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

/** Starts a server that notes when calls begin, and which customers have two calls at one time. */
async function startCountingServer() {
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
    }, CALL_MS)
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
