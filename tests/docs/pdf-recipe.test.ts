// The recipe of docs/recipes/pdf.md.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { defineConfig, type TaskDefinition } from 'waggle-tasks'
import { runTask, startTestSystem } from 'waggle-tasks/testing'
import { invoiceRoutes } from '../../docs/recipes/invoice-routes.ts'
import { renderInvoice } from '../../docs/recipes/render-invoice.ts'
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { createSampleServices } from '../support/sample-project.ts'
import { startSystem } from '../support/system.ts'

const SCRIPT = fileURLToPath(new URL('../support/recipe-script.ts', import.meta.url))
const LINES = Array.from({ length: 1_210 }, (_, index) => ({ text: `Part ${index}`, cents: 1_000 + index }))
const INVOICE = { number: '2026-17', customer: 'Ada Ltd', lines: LINES }

const services = createSampleServices()

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-invoices-'))
  vi.stubEnv('INVOICES_DIR', folder)
  onTestFinished(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
})

test('an invoice of many pages is rendered, stored and handed out', async () => {
  const config = defineConfig({ tasks: [renderInvoice], routes: invoiceRoutes })
  await using system = await startTestSystem({ config })
  const { client, url } = system
  const done = await client.waitFor(await client.submit('render_invoice', INVOICE))
  expect(done).toMatchObject({ status: 'SUCCESS', result: { path: `/invoices/${done.id}`, pages: 31 } })
  const response = await fetch(`${url}/invoices/${done.id}`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/pdf')
  expect(response.headers.get('content-disposition')).toBe(`attachment; filename="invoice-${done.id}.pdf"`)
  const body = Buffer.from(await response.arrayBuffer())
  expect(done.result).toMatchObject({ bytes: body.length })
  expect(readdirSync(folder)).toEqual([`${done.id}.pdf`])
  const pdf = body.toString('latin1')
  expect(pdf).toMatch(/^%PDF-1\.\d\n.*%%EOF\n?$/s)
  expect(pdf.match(/\/Type \/Page\b/g)).toHaveLength(31)
})

test('there is no invoice for another task, and none before the end', async () => {
  const config = defineConfig({ tasks: [renderInvoice], routes: invoiceRoutes })
  await using system = await startTestSystem({ config, workers: 0 })
  const { client, url } = system
  const ids = [
    (await client.submit('render_invoice', INVOICE)).id,
    (await client.submit('http_request', { url: 'https://example.com' })).id,
    '01890000-0000-7000-8000-000000000000',
  ]
  const responses = await Promise.all(ids.map((id) => fetch(`${url}/invoices/${id}`)))
  expect(responses.map(({ status }) => status)).toEqual([404, 404, 404])
})

test('if keys are required, the poll token of the submission suffices for its invoice, and for no other', async () => {
  const { key, entry } = createApiKey('shop', ['submit'])
  const config = defineConfig({ tasks: [renderInvoice], routes: invoiceRoutes })
  await using system = await startTestSystem({ config, settings: { API_KEYS: entry } })
  const submit = async () => {
    const response = await fetch(`${system.url}/v1/tasks/render_invoice`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ input: INVOICE }),
    })
    return (await response.json()) as { id: string; poll_token: string }
  }
  const [own, other] = [await submit(), await submit()]
  const statusOf = async (search: string) => (await fetch(`${system.url}/invoices/${own.id}${search}`)).status
  await expect.poll(() => statusOf(`?poll_token=${own.poll_token}`)).toBe(200)
  expect(await statusOf(`?poll_token=${other.poll_token}`)).toBe(401)
  expect(await statusOf('')).toBe(401)
})

test('each page reports progress', async () => {
  const { progress, result } = await runTask(renderInvoice, INVOICE)
  expect(result.pages).toBe(31)
  expect(progress).toHaveLength(31)
  expect(progress.at(1)).toEqual({ fraction: 2 / 31, message: 'Page 2 of 31' })
  expect(progress.at(-1)).toEqual({ fraction: 1, message: 'Page 31 of 31' })
})

test('an aborted attempt ends before its next page, and leaves no file', async () => {
  const controller = new AbortController()
  const messages: unknown[] = []
  const progress = (_: number, message?: string) => {
    if (messages.push(message) === 3) controller.abort()
  }
  const context = { id: 'a', attempt: 1, signal: controller.signal, progress, log() {}, services }
  await expect(renderInvoice.run(INVOICE, context)).rejects.toMatchObject({ name: 'AbortError' })
  expect(messages.at(-1)).toBe('Page 3 of 31')
  expect(readdirSync(folder)).toEqual([])
})

test('a file that cannot be stored leaves no part of it', async () => {
  mkdirSync(join(folder, 'a.pdf'))
  await expect(runTask(renderInvoice, INVOICE, { id: 'a' })).rejects.toMatchObject({ code: 'EISDIR' })
  expect(readdirSync(folder)).toEqual(['a.pdf'])
})

test('an attempt that does not stop computing, or needs too much memory, ends with its process', async () => {
  const system = await startSystem({
    definitions: [renderInvoice as TaskDefinition],
    worker: { isolated: { script: SCRIPT, processes: 2 } },
  })
  onTestFinished(() => system.stop())
  const run = async (customer: string, options: object) => {
    const { id } = await system.submit('render_invoice', { ...INVOICE, customer }, options)
    return system.taskWhenFinal(id)
  }
  const [endless, large] = await Promise.all([
    run('computes for ever', { timeout_seconds: 1, max_retries: 0 }),
    run('needs memory', { max_retries: 0 }),
  ])
  expect(endless.error).toMatchObject({
    name: 'TimeoutError',
    message: expect.stringContaining('for 1 s, so its process was killed'),
  })
  expect(large.error).toMatchObject({ name: 'MemoryLimitError', message: expect.stringContaining('384 MB') })
  expect(await run('Ada Ltd', {})).toMatchObject({ status: 'SUCCESS', result: { pages: 31 } })
  expect(readdirSync(folder)).toHaveLength(1)
})
