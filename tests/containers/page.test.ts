// Tests the page behind nginx in a real browser.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { findChromium, launchBrowser, openPage } from '../support/browser.ts'
import type { Stack } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped
const chromium = findChromium()

describe.skipIf(!provided || !chromium)('behind nginx', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser(chromium ?? '')
  })
  afterAll(() => browser?.close())

  test('the page asks for the key, submits a task, shows its result, and sends no request to another host', async () => {
    await using user = await openPage(browser, stack.url)
    const { page } = user
    const foreign: string[] = []
    const errors: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(stack.url)) foreign.push(request.url())
    })
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) errors.push(message.text())
    })
    await page.reload()
    await page.getByLabel('API key').fill(stack.apiKey)
    await page.keyboard.press('Enter')
    await user.fill('E-mail address', 'ada@example.com')
    await user.submit()
    await user.untilStatus('SUCCESS')
    await user.untilText('Notification sent to ada@example.com')
    expect({ foreign, errors }).toEqual({ foreign: [], errors: [] })
  })

  test('the documentation of the API loads without errors', async () => {
    const page = await browser.newPage()
    const errors: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(`${stack.url}/docs`)
    await page.getByText('/v1/tasks/reverse').first().waitFor()
    expect(errors).toEqual([])
    await page.close()
  })
})
