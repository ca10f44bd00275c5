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

  async function queueNamed(name: string) {
    const { body } = await system.request('GET', '/v1/queues')
    return (body as { data: { name: string }[] }).data.find((queue) => queue.name === name)
  }

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
    // After this, the browser has a response to each request of the page. Their ETag does not change, because
    // the version of the waiting task stays the same.
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

  test('limits of a queue are set, refused at their fields, shown in words, and removed', async () => {
    await using view = await open('#/workers')
    const { page } = view
    const row = page.getByRole('row', { name: /^default/ })
    await row.getByText('none').waitFor()
    const edit = row.getByRole('button', { name: 'Change the limits of the queue default' })
    await edit.click()
    const dialog = page.getByRole('dialog', { name: 'Limits of the queue default' })
    const atOnce = dialog.getByRole('textbox', { name: 'At once' })
    await atOnce.and(dialog.locator(':focus')).waitFor()
    await page.keyboard.type('0')
    await dialog.getByRole('textbox', { name: 'Attempts' }).fill('100')
    await dialog.getByRole('button', { name: 'Save limits' }).click()
    expect(await dialog.locator('.field-fault').allTextContents()).toEqual([
      'Enter 1 or more.',
      'Fill in both fields, or none.',
    ])
    await atOnce.fill('10')
    await dialog.getByRole('textbox', { name: 'Per seconds' }).fill('60')
    await page.keyboard.press('Enter')
    await row.getByText('at most 10 at once, 100 starts per minute').waitFor()
    // The dialog is closed, and the focus is back.
    await edit.and(page.locator(':focus')).waitFor()
    const limits = { concurrency: 10, rate_limit: { limit: 100, per_seconds: 60 } }
    expect(await queueNamed('default')).toMatchObject({ limits })

    await edit.click()
    expect(await atOnce.inputValue()).toBe('10')
    await atOnce.fill('')
    await dialog.getByRole('textbox', { name: 'Attempts' }).fill('1')
    await dialog.getByRole('textbox', { name: 'Per seconds' }).fill('90')
    await page.keyboard.press('Enter')
    await row.getByText('at most 1 start per 1 min 30 s').waitFor()

    await edit.click()
    await dialog.getByRole('textbox', { name: 'Attempts' }).fill('')
    await dialog.getByRole('textbox', { name: 'Per seconds' }).fill('')
    await page.keyboard.press('Enter')
    await row.getByText('none').waitFor()
    expect(await queueNamed('default')).toMatchObject({ limits: null })
  })

  test('errors of the API are shown next to the fields of a limit', async () => {
    await using view = await open('#/workers')
    const { page } = view
    await page.route('**/limits', (route) =>
      route.fulfill({
        status: 422,
        contentType: 'application/problem+json',
        body: JSON.stringify({
          code: 'invalid_input',
          detail: 'The request is not valid',
          errors: [{ pointer: '#/rate_limit/per_seconds', detail: 'must be something else' }],
        }),
      }),
    )
    await page.getByRole('button', { name: 'Change the limits of the queue default' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Save limits' }).click()
    await dialog.getByText('must be something else').waitFor()
    const field = dialog.getByRole('textbox', { name: 'Per seconds' })
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await field.and(dialog.locator(':focus')).waitFor()
  })

  test('held tasks of a queue lead to the keys of limits, which are searched and filtered', async () => {
    const running = [await holdKey('acme-keys'), await holdKey('globex-keys')]
    const keys = ['acme-keys', 'acme-keys', 'globex-keys']
    const waiting = await Promise.all(keys.map((key) => system.submit('one_per_key', { key })))
    const alone = await system.submit('two_at_once', {}, { queue: 'unserved', delay_seconds: 3_600 })
    await using view = await open('#/workers')
    const { page } = view
    const queue = page.getByRole('row', { name: /^default/ })
    await queue.getByRole('link', { name: '3', exact: true }).last().click()
    const row = (name: string | RegExp) => page.getByRole('row', { name })
    await row(/^acme-keys concurrency one_per_key default normal 2 1$/).waitFor()
    await row(/^globex-keys concurrency one_per_key default normal 1 1$/).waitFor()
    expect(await row(/two_at_once/).count()).toBe(0)

    await page.getByRole('searchbox', { name: 'Key contains' }).fill('ACME')
    await row(/globex/).waitFor({ state: 'detached' })
    expect(new URL(page.url()).hash).toBe('#/keys?queue=default&search=ACME')
    await page.reload()
    await row(/^acme-keys/).waitFor()
    await page.getByRole('searchbox', { name: 'Key contains' }).fill('nothing like it')
    await page.getByRole('heading', { name: 'No key matches' }).waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await row(/^acme-keys/).waitFor()

    await page.getByLabel('Definition').selectOption('two_at_once')
    await row(/acme/).waitFor({ state: 'detached' })
    await row(/^no key two_at_once unserved normal 1 0$/)
      .getByRole('link', { name: '1' })
      .click()
    await page.locator(`tr[data-task="${alone.id}"]`).waitFor()
    await Promise.all([...running, ...waiting, alone].map(({ id }) => cancel(id)))
  })

  test('new counts appear with “Refresh”', async () => {
    await using view = await open('#/keys?search=refreshed')
    const { page } = view
    await page.getByRole('heading', { name: 'No key matches' }).waitFor()
    const { id } = await system.submit('one_per_key', { key: 'refreshed' }, { queue: 'unserved' })
    await page.getByRole('button', { name: 'Refresh' }).click()
    await page.getByRole('row', { name: /^refreshed/ }).waitFor()
    await cancel(id)
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
