// The page in a real browser, with an API that requires a key: the key dialog, and missing scopes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from 'waggle-tasks/client'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser, openPage, type PageUser } from '../support/browser.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

const keys = createTestKeys({
  all: ['submit', 'read', 'operate'],
  customer: ['submit', 'read'],
  submitOnly: ['submit'],
  readOnly: ['read'],
})

describe.skipIf(!chromium)('an API that requires a key', () => {
  const gate = createGatedTask()
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    // `npm test` builds the page before the tests; a run of this file alone may have to.
    if (!existsSync(join(WEB_ROOT, 'index.html'))) {
      const { build } = await import('vite')
      await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
    }
    const { apiKeys } = keys
    const starting = startSystem({ webRoot: WEB_ROOT, definitions: [gate.definition], apiKeys })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (options?: BrowserContextOptions) => openPage(browser, system.url, options)
  const keyField = ({ page }: PageUser) => page.getByLabel('API key')

  async function openWith(name: string): Promise<PageUser> {
    const user = await open()
    await enterKey(user, keys.key(name))
    return user
  }

  async function enterKey(user: PageUser, key: string) {
    await keyField(user).fill(key)
    await user.page.keyboard.press('Enter')
    await keyField(user).waitFor({ state: 'detached' })
  }

  test('the dialog rejects a missing and a wrong key, and an accepted key opens the page', async () => {
    await using user = await open()
    expect(await user.page.evaluate('document.activeElement.id')).toBe(
      await keyField(user).getAttribute('id'),
    )
    await user.page.keyboard.press('Enter')
    await user.untilText('Enter a key.')
    await user.page.keyboard.type(`${keys.key('all')}x`)
    await user.page.keyboard.press('Enter')
    await user.untilText('The API does not accept this key.')
    expect(await keyField(user).getAttribute('aria-invalid')).toBe('true')
    await enterKey(user, ` ${keys.key('all')} `)
    await user.fill('E-mail address', 'ada@example.com')
    await user.submit()
    await user.untilStatus('SUCCESS')
    await user.untilText('Notification sent to ada@example.com')
  })

  test('a typed key is hidden until the person shows it', async () => {
    await using user = await open()
    expect(await keyField(user).getAttribute('type')).toBe('password')
    await user.press('Show the key')
    expect(await keyField(user).getAttribute('type')).toBe('text')
    expect(await keyField(user).getAttribute('autocomplete')).toBe('off')
  })

  test('a key is kept after a reload, and only in its tab', async () => {
    await using user = await openWith('all')
    await user.page.reload()
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
    expect(await keyField(user).count()).toBe(0)
    const kept: unknown = await user.page.evaluate(
      'JSON.stringify([localStorage, document.cookie, location.href])',
    )
    expect(kept).not.toContain(keys.key('all'))
    const tab = await user.page.context().newPage()
    await tab.goto(system.url)
    await tab.getByLabel('API key').waitFor()
  })

  test('a closed key dialog does not reopen by itself, and a button opens it', async () => {
    await using user = await open()
    await user.page.keyboard.press('Escape')
    await user.untilText('This API requires a key.')
    await user.untilText('Enter a key to see which tasks can be submitted.')
    expect(await keyField(user).count()).toBe(0)
    await user.page.getByRole('status').getByRole('button', { name: 'Enter a key' }).click()
    await enterKey(user, keys.key('all'))
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
  })

  test('after a 401 during a submission the page asks for a key and submits again with it', async () => {
    await using user = await openWith('all')
    await user.page.route(
      '**/v1/tasks/reverse',
      (route) => route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer gone' } }),
      { times: 1 },
    )
    await user.pick('Reverse a text')
    await user.fill('Text', 'Waggle')
    await user.submit()
    await user.untilText('The API no longer accepts the key of this tab.')
    await enterKey(user, keys.key('customer'))
    await user.untilText('elggaW')
  })

  test('the form keeps its input if no other key is entered after a 401', async () => {
    await using user = await openWith('all')
    await user.page.route('**/v1/tasks/reverse', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer gone' } }),
    )
    await user.pick('Reverse a text')
    await user.fill('Text', 'Waggle')
    await user.submit()
    await keyField(user).waitFor()
    await user.page.keyboard.press('Escape')
    await user.untilText('The API requires a key.')
    expect(await user.page.getByRole('textbox', { name: 'Text' }).inputValue()).toBe('Waggle')
    await user.submit()
    await keyField(user).waitFor()
  })

  test('forgetting the key removes the loaded data from the page', async () => {
    await using user = await openWith('all')
    await user.pick('Reverse a text')
    await user.fill('Text', 'Waggle')
    await user.submit()
    await user.untilText('elggaW')
    await user.press('Forget key')
    await user.untilText('Enter a key to see this task.')
    expect(await user.page.getByText('elggaW').count()).toBe(0)
    expect(await user.page.evaluate('sessionStorage.length')).toBe(0)
    await user.page.getByRole('status').getByRole('button', { name: 'Enter a key' }).click()
    await enterKey(user, keys.key('all'))
    await user.untilText('elggaW')
  })

  test('a key without "operate" cannot cancel, and the page says so until another key is entered', async () => {
    await using user = await openWith('customer')
    await user.pick('Wait at a gate')
    await user.fill('Gate', 'not-cancelled')
    await user.submit()
    await user.untilStatus('STARTED')
    await user.untilText(
      'This key may not change tasks, queues, workers or schedules: it lacks the scope “operate”.',
    )
    const cancel = user.page.getByRole('button', { name: 'Cancel task' })
    expect(await cancel.getAttribute('aria-disabled')).toBe('true')
    await user.press('Use another key')
    await enterKey(user, keys.key('all'))
    expect(await cancel.getAttribute('aria-disabled')).toBe('false')
    await cancel.click()
    await user.untilStatus('CANCELLED')
  })

  test('a key without "submit" cannot submit, and the page says so', async () => {
    await using user = await openWith('readOnly')
    await user.untilText('This key may not submit tasks: it lacks the scope “submit”.')
    const submit = user.page.getByRole('button', { name: 'Submit task' })
    expect(await submit.getAttribute('aria-disabled')).toBe('true')
  })

  test('a key with only "submit" sees the tasks that it submitted, and no others', async () => {
    const others = createClient({ baseUrl: system.url, apiKey: keys.key('all') })
    const { id } = await others.submit('reverse', { text: 'secret' })
    await using user = await openWith('submitOnly')
    await user.fill('E-mail address', 'ada@example.com')
    await user.submit()
    await user.untilText('Notification sent to ada@example.com')
    await user.page.goto(`${system.url}/#/tasks/${id}`)
    await user.untilText('This key may not see tasks: it lacks the scope “read”.')
  })

  test('the dialog and the banner fit a screen of 360 pixels', async () => {
    await using user = await open({ viewport: { width: 360, height: 740 } })
    const width = () => user.page.evaluate('document.documentElement.scrollWidth')
    await keyField(user).fill('wgl_no')
    await user.page.keyboard.press('Enter')
    await user.untilText('The API does not accept this key.')
    expect(await width()).toBe(360)
    await user.page.keyboard.press('Escape')
    await user.untilText('This API requires a key.')
    expect(await width()).toBe(360)
    await user.page.getByRole('status').getByRole('button', { name: 'Enter a key' }).click()
    await enterKey(user, keys.key('all'))
    await user.page.getByRole('button', { name: 'Forget key' }).waitFor()
    expect(await width()).toBe(360)
  })
})
