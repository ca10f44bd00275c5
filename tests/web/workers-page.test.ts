// The view of workers and queues in a real browser.
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

describe.skipIf(!chromium)('workers and queues', () => {
  let system: TestSystem
  let browser: Browser
  beforeAll(async () => {
    const definitions = createTestDefinitions()
    const starting = startSystem({ webRoot: WEB_ROOT, definitions, worker: { queues: ['default', 'slow'] } })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (options?: Parameters<typeof openView>[3]) =>
    openView(browser, system.url, '#/workers', options)

  test('a queue is paused and resumed, and the table shows how many tasks wait in it', async () => {
    await using view = await open()
    const row = view.page.getByRole('row', { name: /^slow/ })
    await row.getByText('Served').waitFor()
    await row.getByRole('button', { name: 'Pause the queue slow' }).click()
    await row.getByText('Paused').waitFor()
    const task = await system.submit('reverse', { text: 'ab' }, { queue: 'slow' })
    await row.getByRole('link', { name: '1', exact: true }).waitFor()
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING' })
    await row.getByRole('button', { name: 'Resume the queue slow' }).click()
    await row.getByText('Served').waitFor()
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
  })

  test('a worker drains, shows that it drains until its task has ended, and is resumed', async () => {
    await using view = await open()
    const held = await system.submit('hold', {})
    await system.taskWhen(held.id, ({ status }) => status === 'STARTED')
    const row = view.page.getByRole('row', { name: new RegExp(`:${process.pid}`) })
    await row.getByText('1 of 20').waitFor()
    await row.getByRole('button', { name: /^Drain the worker/ }).click()
    await row.getByText('Draining').waitFor()
    // The draining worker was the only worker of this queue.
    await view.page
      .getByRole('row', { name: /^default/ })
      .getByText('No worker')
      .waitFor()
    await system.request('POST', `/v1/tasks/${held.id}/cancel`)
    await row.getByText('Drained').waitFor()
    await row.getByRole('button', { name: /^Resume the worker/ }).click()
    await row.getByText('Working').waitFor()
    await system.taskWhenFinal((await system.submit('reverse', { text: 'ab' })).id)
  })

  test('a queue without a worker is marked and links to its waiting tasks', async () => {
    await using view = await open()
    await system.submit('reverse', { text: 'ab' }, { queue: 'unserved' })
    const row = view.page.getByRole('row', { name: /^unserved/ })
    await row.getByText('No worker').waitFor()
    await row.getByRole('link', { name: '1', exact: true }).click()
    await until(
      async () => decodeURIComponent(new URL(view.page.url()).hash),
      (hash) => hash === '#/tasks?queue=unserved&status=PENDING,RETRY',
    )
    await view.page.goBack()
    await row.waitFor()
  })

  test('a worker without heartbeats is shown as missing, and a removed one disappears', async () => {
    await using view = await open()
    const { workerStore } = system.connections
    const missing = { id: '0189a5d0-ac96-474b-bcce-b302099a8057', host: 'far', pid: 7, version: 'test' }
    const worker = { ...missing, queues: ['default'], concurrency: 3, isolatedProcesses: 0 }
    await workerStore.beat({ timeoutMs: 5_000, worker, processed: 1, failed: 0, leaked: 0, running: [] })
    const row = view.page.getByRole('row', { name: /^far:7/ })
    await row.getByText('Missing').waitFor()
    expect(await row.getByRole('button').count()).toBe(0)
    await workerStore.remove(worker.id)
    await row.waitFor({ state: 'detached' })
  })

  test('leaked slots and isolated processes are shown only if there are any', async () => {
    await using view = await open()
    const { workerStore } = system.connections
    const worker = { id: '0189a5d0-ac96-474b-bcce-b302099a8058', host: 'leaky', pid: 8, version: 'test' }
    const beat = (leaked: number) =>
      workerStore.beat({
        timeoutMs: 5_000,
        worker: { ...worker, queues: ['default'], concurrency: 20, isolatedProcesses: 2 },
        processed: 1,
        failed: 0,
        leaked,
        running: [],
      })
    await beat(3)
    const row = view.page.getByRole('row', { name: /^leaky:8/ })
    await row.getByText('3 leaked').waitFor()
    expect(await row.textContent()).toContain('0 of 20 + 2 isolated')
    await beat(0)
    await row.getByText('3 leaked').waitFor({ state: 'detached' })
    expect(await view.page.getByText('leaked').count()).toBe(0)
    await workerStore.remove(worker.id)
    await row.waitFor({ state: 'detached' })
    expect(await view.page.getByText('isolated').count()).toBe(0)
  })

  test('the view fits a screen of 360 pixels', async () => {
    await using view = await open({ viewport: { width: 360, height: 740 } })
    await view.page.getByRole('button', { name: /^Drain the worker/ }).waitFor()
    expect(await view.page.evaluate('document.documentElement.scrollWidth')).toBe(360)
  })
})

describe.skipIf(!chromium)('with a key that has only the scope "read"', () => {
  test('the buttons are disabled, and the page says why', async () => {
    const keys = createTestKeys({ reader: ['read'] })
    const system = await startSystem({ webRoot: WEB_ROOT, apiKeys: keys.apiKeys })
    const browser = await launchBrowser(chromium ?? '')
    try {
      await using view = await openView(browser, system.url, '#/workers')
      const { page } = view
      await page.getByLabel('API key').fill(keys.key('reader'))
      await page.keyboard.press('Enter')
      await page.getByText('it lacks the scope “operate”').waitFor()
      const button = page.getByRole('button', { name: /^Drain the worker/ })
      expect(await button.getAttribute('aria-disabled')).toBe('true')
    } finally {
      await browser.close()
      await system.stop()
    }
  })
})
