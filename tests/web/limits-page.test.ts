// Limits, priorities and expiry on the page, in a real browser.
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { createHeldDefinitions } from '../support/held-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

describe.skipIf(!chromium)('limits, priorities and expiry', () => {
  let system: TestSystem
  let browser: Browser
  beforeAll(async () => {
    const { definitions } = createHeldDefinitions()
    const starting = startSystem({ webRoot: WEB_ROOT, definitions })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (hash: string) => openView(browser, system.url, hash)
  const cancel = (id: string) => system.request('POST', `/v1/tasks/${id}/cancel`)

  /** Submits a task that holds the only slot of its key, and waits until it runs. */
  async function holdKey(key: string) {
    const task = await system.submit('one_per_key', { key, ms: 600_000 })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    return task
  }

  test('a waiting task shows what it waits for, and follows the tasks before it', async () => {
    const running = await holdKey('acme')
    const first = await system.submit('one_per_key', { key: 'acme' })
    const second = await system.submit('one_per_key', { key: 'acme' })
    await using view = await open(`#/tasks/${second.id}`)
    await view.page.getByText('Waits for a slot of concurrency key acme, 1 before it.').waitFor()
    // After this, the browser has a response to each request of the page. Their ETag does not change, because the
    // version of the waiting task stays the same.
    for (let n = 0; n < 2; n++) await view.page.waitForResponse(/wait=1$/)
    await cancel(first.id)
    await view.page.getByText('Waits for a slot of concurrency key acme, 0 before it.').waitFor()
    await cancel(running.id)
    await view.page.locator('.card-head [data-status=SUCCESS]').waitFor()
  })

  test('a task shows its priority and its expiry, and says that it has expired', async () => {
    const plain = await system.submit('plain', {}, { queue: 'unserved' })
    const expires_at = new Date(Date.now() + 3_600_000).toISOString()
    const options = { queue: 'unserved', priority: 'high', expires_at }
    const { id } = await system.submit('plain', {}, options)
    await using view = await open(`#/tasks/${id}`)
    const details = view.page.getByRole('region', { name: 'Details' })
    await details.getByText('Priority').waitFor()
    expect(await details.locator('.member').filter({ hasText: 'Priority' }).textContent()).toBe(
      'Priorityhigh',
    )
    expect(await details.locator(`time[datetime="${expires_at}"]`).count()).toBe(1)
    await view.page.getByText('Expires if it has not started').waitFor()

    await view.page.goto(new URL(`#/tasks/${plain.id}`, system.url).href)
    await view.page.getByRole('heading', { name: 'Details' }).waitFor()
    await view.page.getByText(plain.id).waitFor()
    expect(await details.getByText('Priority').count()).toBe(0)
    expect(await details.getByText('Expires').count()).toBe(0)

    const short = await system.submit('plain', {}, { queue: 'unserved', expires_in_seconds: 0.01 })
    await view.page.goto(new URL(`#/tasks/${short.id}`, system.url).href)
    await view.page.getByText('Expired before it started.').waitFor()
    const error = view.page.getByRole('region', { name: 'Error' })
    await error.getByRole('heading', { name: 'Expired', exact: true }).waitFor()
    await error.getByText(/^The task had not started by .+\.$/).waitFor()
    // It was not cancelled by request.
    expect(await view.page.getByText('Cancellation requested').count()).toBe(0)
  })

  test('the list has columns for priority and expiry', async () => {
    await system.submit('plain', {}, { queue: 'listed', priority: 'low', expires_in_seconds: 3_600 })
    await using view = await open('#/tasks?queue=listed')
    const { page } = view
    await page.getByText('Columns', { exact: true }).click()
    await page.getByRole('checkbox', { name: 'Priority' }).check()
    await page.getByRole('checkbox', { name: 'Expires' }).check()
    await page.getByRole('cell', { name: 'low' }).waitFor()
    expect(await page.locator('td.is-expires time').count()).toBe(1)
  })
})
