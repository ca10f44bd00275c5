// The page as a person finds it behind nginx, in a real browser.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { findChromium, launchBrowser, openPage } from '../support/browser.ts'
import type { Stack } from './support/stack.ts'

const given = inject('stack')
const stack = given as Stack // where there is none, nothing of this runs
const chromium = findChromium()

describe.skipIf(!given || !chromium)('behind nginx', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser(chromium ?? '')
  })
  afterAll(() => browser?.close())

  test('the page asks for the key, submits a task, shows its end, and asks no other host', async () => {
    await using user = await openPage(browser, stack.url)
    const { page } = user
    const foreign: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(stack.url)) foreign.push(request.url())
    })
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text())
    })
    await page.reload()
    await page.getByLabel('API key').fill(stack.apiKey)
    await page.keyboard.press('Enter')
    await user.fill('E-mail address', 'ada@example.com')
    await user.submit()
    await user.untilStatus('SUCCESS')
    await user.untilText('Notification sent to ada@example.com')
    expect({ foreign, complaints }).toEqual({ foreign: [], complaints: [] })
  })

  test('the documentation of the API can be read', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(`${stack.url}/docs`)
    await page.getByText('/v1/tasks/reverse').first().waitFor()
    expect(complaints).toEqual([])
    await page.close()
  })
})
