// Sensitive values on the page of a task in a real browser: masked until a person with the scope shows them.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser, openPage, type PageUser } from '../support/browser.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

const login = defineTask({
  name: 'login',
  title: 'Log in',
  description: 'Has sensitive values.',
  input: z.object({
    user: z.string().min(1).meta({ title: 'User' }),
    password: z.string().min(1).meta({ title: 'Password', sensitive: true }),
  }),
  output: z.object({ session: z.string().meta({ sensitive: true }), user: z.string() }),
  example: { user: 'ada', password: 'secret' },
  run: async ({ user, password }) => ({ user, session: `session-of-${password}` }),
})

const keys = createTestKeys({
  all: ['submit', 'read', 'operate', 'reveal'],
  plain: ['submit', 'read', 'operate'],
})

describe.skipIf(!chromium)('the page of a task with sensitive values', () => {
  let system: TestSystem
  let browser: Browser
  let id: string

  beforeAll(async () => {
    if (!existsSync(join(WEB_ROOT, 'index.html'))) {
      const { build } = await import('vite')
      await build({ root: join(WEB_ROOT, '..'), logLevel: 'warn' })
    }
    const starting = startSystem({ webRoot: WEB_ROOT, definitions: [login], apiKeys: keys.apiKeys })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
    const { body } = await system.request(
      'POST',
      '/v1/tasks/login',
      { input: { user: 'ada', password: 'tiger' } },
      keys.headers('all'),
    )
    ;({ id } = body as { id: string })
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  /** Opens the page of the task with this key. */
  async function openTask(key: 'all' | 'plain', query = ''): Promise<PageUser> {
    const user = await openPage(browser, system.url)
    await user.page.getByLabel('API key').fill(keys.key(key))
    await user.page.getByLabel('API key').press('Enter')
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
    await user.page.goto(`${system.url}/#/tasks/${id}${query}`)
    await user.untilStatus('SUCCESS')
    return user
  }

  test('shows the mask, and the values after a press on “Show”', async () => {
    await using user = await openTask('all')
    const { page } = user
    const input = page.getByRole('region', { name: 'Input' })
    const result = page.getByRole('region', { name: 'Result' })
    await input.getByText('[sensitive]').waitFor()
    expect(await page.content()).not.toContain('tiger')
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/masked.png`, fullPage: true })
    await page.getByRole('button', { name: 'Show the sensitive values of the input' }).click()
    await input.getByText('tiger').waitFor()
    await result.getByText('session-of-tiger').waitFor()
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/shown.png`, fullPage: true })
    await page.getByRole('button', { name: 'Hide the sensitive values of the result' }).click()
    await result.getByText('[sensitive]').waitFor()
    expect(await page.content()).not.toContain('tiger')
  })

  test('has no button for a key without the scope', async () => {
    await using user = await openTask('plain')
    await user.page.getByRole('region', { name: 'Input' }).getByText('[sensitive]').waitFor()
    await expect.poll(() => user.page.getByRole('button', { name: 'Show the sensitive' }).count()).toBe(0)
  })

  test('the form for an edited replay leaves the values empty, and they are not kept in the browser', async () => {
    await using user = await openTask('all', '?replay=edited')
    const { page } = user
    await user.untilText('Sensitive values are not filled in')
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/replay.png`, fullPage: true })
    expect(await page.getByRole('textbox', { name: 'User' }).inputValue()).toBe('ada')
    expect(await page.getByRole('textbox', { name: 'Password' }).inputValue()).toBe('')
    await user.fill('Password', 'lion')
    await user.press('Submit as a new task')
    await page.waitForURL((url) => !url.hash.includes(id))
    await user.untilStatus('SUCCESS')
    await page.getByRole('button', { name: 'Show the sensitive values of the input' }).click()
    await page.getByRole('region', { name: 'Input' }).getByText('lion').waitFor()
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('lion')
  })
})
