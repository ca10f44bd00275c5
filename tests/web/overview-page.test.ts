// The overview in a real browser: figures, charts and alerts while tasks run, during an outage, and with a
// key that lacks a scope.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { readConfig } from '../../src/config.ts'
import { sql } from '../../src/store/drizzle.ts'
import { findChromium, launchBrowser } from '../support/browser.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

beforeAll(async () => {
  // `npm test` builds the page before the tests; a run of this file alone may have to.
  if (existsSync(join(WEB_ROOT, 'index.html'))) return
  const { build } = await import('vite')
  await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
})

describe.skipIf(!chromium)('the overview', () => {
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    const starting = startSystem({ webRoot: WEB_ROOT, definitions: createTestDefinitions() })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  async function open(path = '', options: BrowserContextOptions = {}, url = system.url) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(60_000)
    await page.goto(`${url}/#/${path}`)
    return { page, [Symbol.asyncDispose]: () => context.close() }
  }

  const tile = (page: Page, status: string) => page.locator(`.tile[data-status=${status}]`)

  /** Waits until the tile of this status shows this count. @throws after 20 seconds */
  async function untilCount(page: Page, status: string, count: number) {
    await expect.poll(() => tile(page, status).locator('.tile-count').textContent()).toBe(String(count))
  }

  test('without activity it says that nothing has run and links to the form', async () => {
    await system.connections.database.query(sql`delete from activity`)
    await using user = await open()
    await user.page.getByRole('heading', { name: 'Nothing has run in the last 5 minutes' }).waitFor()
    await user.page.getByRole('main').getByRole('link', { name: 'Run a task' }).last().click()
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
  })

  test('its counts follow the tasks and link to lists of them', async () => {
    await using user = await open()
    const { page } = user
    await untilCount(page, 'FAILURE', 0)
    const running = await system.submit('sleep', { ms: 60_000 })
    await untilCount(page, 'STARTED', 1)
    await system.request('POST', `/v1/tasks/${running.id}/cancel`)
    await Promise.all([1, 2].map(() => system.submit('divide', { x: 1, y: 0 })))
    await untilCount(page, 'STARTED', 0)
    await untilCount(page, 'FAILURE', 2)
    await untilCount(page, 'CANCELLED', 1)
    // The chart library is loaded after the page.
    await page.locator('.plot canvas').first().waitFor()
    const row = page.getByRole('row', { name: /Divide/ })
    await expect.poll(() => row.textContent()).toContain('100')
    expect(await tile(page, 'FAILURE').getAttribute('href')).toBe('#/tasks?status=FAILURE')
    await row.getByRole('link', { name: /Divide/ }).click()
    await expect.poll(() => new URL(page.url()).hash).toBe('#/tasks?name=divide')
  })

  test('the time window is part of the URL, so links and Back restore it', async () => {
    await using user = await open('?window=3600')
    const { page } = user
    const windows = page.getByRole('navigation', { name: 'Time range' })
    const chosen = windows.locator('[aria-current]')
    await page.getByText('Ended in the last hour').waitFor()
    expect(await chosen.textContent()).toBe('1 h')
    await windows.getByRole('link', { name: 'the last 24 hours' }).click()
    await page.getByText('Ended in the last 24 hours').waitFor()
    expect(new URL(page.url()).hash).toBe('#/?window=86400')
    expect(await chosen.textContent()).toBe('24 h')
    await page.goBack()
    await page.getByText('Ended in the last hour').waitFor()
    await page.goto(`${system.url}/#/?window=nonsense`)
    await page.getByText('Ended in the last 5 minutes').waitFor()
  })

  test('the values of a chart are also in a table that the keyboard can open', async () => {
    // 40 s ago, so that its step of 10 s is over and is drawn.
    await system.connections.activityStore.add([
      { name: 'reverse', measure: 'SUCCESS', bucket: 0, count: 1_200, ageMs: 40_000 },
    ])
    await using user = await open()
    const { page } = user
    const chart = page.getByRole('region', { name: 'Tasks that ended' }).first()
    await chart.getByText('Show as a table').focus()
    await page.keyboard.press('Enter')
    const table = chart.getByRole('table', { name: /Tasks that ended, per second, newest first/ })
    await table.waitFor()
    expect(await table.getByRole('row').count()).toBeGreaterThan(25)
    await expect.poll(() => table.textContent()).toContain('120')
    expect(await chart.getByRole('img').getAttribute('aria-label')).toContain('as a table below')
  })

  test('it warns about a queue without a worker, and about a paused queue', async () => {
    await using user = await open()
    const { page } = user
    await untilCount(page, 'PENDING', 0)
    const alerts = page.locator('.alerts')
    // A task that is not due yet causes no alert.
    const later = await system.submit('reverse', { text: 'ab' }, { queue: 'unserved', delay_seconds: 600 })
    await untilCount(page, 'PENDING', 1)
    expect(await alerts.textContent()).toBe('')
    await system.submit('reverse', { text: 'ab' }, { queue: 'unserved' })
    await alerts.getByText('No worker serves the queue “unserved”.').waitFor()
    expect(await alerts.locator('.tone-bad').textContent()).toContain('2 tasks wait')

    await system.request('POST', '/v1/queues/unserved/pause')
    await alerts.getByText('The queue “unserved” is paused.').waitFor()
    expect(await alerts.locator('.tone-bad').count()).toBe(0)

    const worker = system.startWorker({ queues: ['unserved'] })
    await system.request('POST', '/v1/queues/unserved/resume')
    await expect.poll(() => alerts.textContent()).toBe('')
    await system.request('POST', `/v1/tasks/${later.id}/cancel`)
    await worker.stop(0)
  })

  test('during an outage it keeps its figures, and afterwards it updates them without a reload', async () => {
    await using user = await open()
    const { page } = user
    await tile(page, 'SUCCESS').waitFor()
    const before = Number(
      (await tile(page, 'SUCCESS').locator('.tile-count').textContent())?.replace(',', ''),
    )
    await system.stopApi()
    await page.getByText('The API cannot be reached.').waitFor()
    expect(await tile(page, 'SUCCESS').count()).toBe(1)
    await system.startApi()
    await page.getByText('API connected').waitFor()
    await system.submit('reverse', { text: 'ab' })
    await expect
      .poll(async () =>
        Number((await tile(page, 'SUCCESS').locator('.tile-count').textContent())?.replace(',', '')),
      )
      .toBeGreaterThan(before)
  })

  test('a hidden tab sends no queries, and a visible tab queries again', async () => {
    await using user = await open()
    const { page } = user
    await page.clock.install()
    await page.reload()
    await tile(page, 'SUCCESS').waitFor()
    let requestCount = 0
    page.on('request', (request) => {
      if (request.url().includes('/v1/stats')) requestCount++
    })
    const show = (isVisible: boolean) =>
      page.evaluate(`
        Object.defineProperty(document, 'hidden', { value: ${!isVisible}, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))`)
    await show(false)
    // One minute of the page's clock. The request after each step gives other requests time to get responses.
    for (let second = 0; second < 60; second += 4) {
      await page.clock.runFor(4_000)
      await page.evaluate(`fetch('./health').then((response) => response.text())`)
    }
    // One request may have been under way when the tab was hidden.
    expect(requestCount).toBeLessThanOrEqual(1)
    const before = requestCount
    await show(true)
    await expect.poll(() => requestCount).toBeGreaterThan(before)
  })

  test('it fits a screen of 360 pixels', async () => {
    await using user = await open('', { viewport: { width: 360, height: 780 } })
    await tile(user.page, 'SUCCESS').waitFor()
    expect(await user.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  })

  test('with a key without the scope "read" it names the missing scope', async () => {
    const submitter = createApiKey('submitter', ['submit'])
    const { API_KEYS: apiKeys } = readConfig({ API_KEYS: submitter.entry })
    const closed = await startSystem({ webRoot: WEB_ROOT, apiKeys, worker: false })
    await using user = await open('', {}, closed.url)
    const { page } = user
    await page.getByLabel('API key').fill(submitter.key)
    await page.getByRole('button', { name: 'Use this key' }).click()
    await page.getByRole('main').getByText('it lacks the scope “read”').waitFor()
    await closed.stop()
  })
})
