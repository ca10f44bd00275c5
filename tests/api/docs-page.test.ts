// The documentation page in a browser: it works, and it loads everything from its own server.
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
    'shows every operation in %s colours, without requests to other servers',
    async (colorScheme) => {
      await using visit = await openDocs({ colorScheme })
      const operations = await visit.page.locator('.opblock').count()
      const { body } = await system.request('GET', '/openapi.json')
      const { paths } = body as { paths: Record<string, object> }
      expect(operations).toBe(Object.values(paths).flatMap((methods) => Object.keys(methods)).length)
      const background = await visit.page.evaluate('getComputedStyle(document.body).backgroundColor')
      expect(background).toBe(colorScheme === 'dark' ? 'rgb(28, 32, 34)' : 'rgb(250, 250, 250)')
      expect(visit.foreignUrls).toEqual([])
      expect(visit.problems).toEqual([])
    },
  )

  test('submits a task with an API key', async () => {
    await using visit = await openDocs({})
    const { page } = visit
    await page.getByRole('button', { name: 'Authorize', exact: true }).click()
    await page.locator('.modal-ux input').first().fill('a-key')
    await page.locator('.modal-ux .auth-btn-wrapper button.authorize').first().click()
    await page.locator('.modal-ux .btn-done').first().click()
    const operation = page.locator('[id$=submit_reverse]')
    await operation.locator('.opblock-summary-control').click()
    await operation.getByRole('button', { name: 'Try it out' }).click()
    const posted = page.waitForResponse((response) => response.request().method() === 'POST')
    await operation.getByRole('button', { name: 'Execute' }).click()
    const response = await posted
    expect(response.status()).toBe(202)
    expect(response.url()).toBe(`${system.url}/v1/tasks/reverse`)
    expect(response.request().headers().authorization).toBe('Bearer a-key')
    await operation.locator('.live-responses-table .response-col_status', { hasText: '202' }).waitFor()
    expect(visit.foreignUrls).toEqual([])
    expect(visit.problems).toEqual([])
  })

  test('works below a prefix', async () => {
    await using visit = await openDocs({ prefix: '/somewhere/below' })
    expect(await visit.page.locator('.opblock').count()).toBeGreaterThan(20)
    expect(visit.problems).toEqual([])
  })

  /**
   * Opens the page. `foreignUrls` are requests to other servers, `problems` are errors and warnings of the
   * browser.
   */
  async function openDocs({ colorScheme, prefix = '' }: { colorScheme?: 'light' | 'dark'; prefix?: string }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme })
    const page = await context.newPage()
    const foreignUrls: string[] = []
    const problems = recordProblems(page)
    await page.route('**/*', async (route) => {
      const url = route.request().url()
      if (!url.startsWith(`${system.url}${prefix}/`) && !url.startsWith('data:')) foreignUrls.push(url)
      // Remove the prefix, as a proxy does.
      if (prefix) return route.fulfill({ response: await route.fetch({ url: url.replace(prefix, '') }) })
      return route.continue()
    })
    await page.goto(`${system.url}${prefix}/docs`)
    await page.locator('.opblock').first().waitFor()
    return { page, foreignUrls, problems, [Symbol.asyncDispose]: () => context.close() }
  }
})

function recordProblems(page: Page): string[] {
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  return problems
}
