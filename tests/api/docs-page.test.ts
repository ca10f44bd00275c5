// The documentation page in a real browser: everything on it comes from this server, and everything works.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser } from '../support/browser.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const chromium = findChromium()

describe.skipIf(!chromium)('GET /docs', () => {
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    system = await startSystem()
    browser = await launchBrowser(chromium ?? '')
  })
  afterAll(async () => {
    await browser.close()
    await system.stop()
  })

  test.each(['light', 'dark'] as const)(
    'shows every operation in %s colours, and asks nobody else',
    async (colorScheme) => {
      await using visit = await openDocs({ colorScheme })
      const operations = await visit.page.locator('.opblock').count()
      const { body } = await system.request('GET', '/openapi.json')
      const { paths } = body as { paths: Record<string, object> }
      expect(operations).toBe(Object.values(paths).flatMap((methods) => Object.keys(methods)).length)
      const background = await visit.page.evaluate('getComputedStyle(document.body).backgroundColor')
      expect(background).toBe(colorScheme === 'dark' ? 'rgb(28, 32, 34)' : 'rgb(250, 250, 250)')
      expect(visit.strangers).toEqual([])
      expect(visit.complaints).toEqual([])
    },
  )

  test('a task can be submitted from it, with a key', async () => {
    await using visit = await openDocs({})
    const { page } = visit
    await page.getByRole('button', { name: 'Authorize', exact: true }).click()
    await page.locator('.modal-ux input').first().fill('a-key')
    await page.locator('.modal-ux .auth-btn-wrapper button.authorize').first().click()
    await page.locator('.modal-ux .btn-done').first().click()
    const operation = page.locator('[id$=submit_reverse]')
    await operation.locator('.opblock-summary-control').click()
    await operation.getByRole('button', { name: 'Try it out' }).click()
    const answered = page.waitForResponse((response) => response.request().method() === 'POST')
    await operation.getByRole('button', { name: 'Execute' }).click()
    const response = await answered
    expect(response.status()).toBe(202)
    expect(response.url()).toBe(`${system.url}/v1/tasks/reverse`)
    expect(response.request().headers().authorization).toBe('Bearer a-key')
    await operation.locator('.live-responses-table .response-col_status', { hasText: '202' }).waitFor()
    expect(visit.strangers).toEqual([])
    expect(visit.complaints).toEqual([])
  })

  test('works below a prefix', async () => {
    await using visit = await openDocs({ prefix: '/somewhere/below' })
    expect(await visit.page.locator('.opblock').count()).toBeGreaterThan(20)
    expect(visit.complaints).toEqual([])
  })

  /** Opens the page; `strangers` are requests to elsewhere, `complaints` whatever the browser did not like. */
  async function openDocs({ colorScheme, prefix = '' }: { colorScheme?: 'light' | 'dark'; prefix?: string }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme })
    const page = await context.newPage()
    const strangers: string[] = []
    const complaints = listenForComplaints(page)
    await page.route('**/*', async (route) => {
      const url = route.request().url()
      if (!url.startsWith(`${system.url}${prefix}/`) && !url.startsWith('data:')) strangers.push(url)
      // What a proxy with a prefix does.
      if (prefix) return route.fulfill({ response: await route.fetch({ url: url.replace(prefix, '') }) })
      return route.continue()
    })
    await page.goto(`${system.url}${prefix}/docs`)
    await page.locator('.opblock').first().waitFor()
    return { page, strangers, complaints, [Symbol.asyncDispose]: () => context.close() }
  }
})

function listenForComplaints(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return complaints
}
