// The form of a task in a real browser: lists, groups, records, JSON, options and the last inputs.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser, openPage, type PageUser } from '../support/browser.ts'
import { booking, echo } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

describe.skipIf(!chromium)('the form of a task', () => {
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    if (!existsSync(join(WEB_ROOT, 'index.html'))) {
      const { build } = await import('vite')
      await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
    }
    const starting = startSystem({ webRoot: WEB_ROOT, definitions: [booking, echo] })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (options?: Parameters<typeof openPage>[2]) => openPage(browser, system.url, options)

  async function openBooking(options?: Parameters<typeof openPage>[2]): Promise<PageUser> {
    const user = await open(options)
    await user.pick('Book a table')
    await user.fill('Guest', 'Ada')
    await user.fill('Seats', '3')
    await user.page.getByLabel('Room').selectOption('hall')
    return user
  }

  const part = ({ page }: PageUser, name: string) => page.getByRole('group', { name, exact: true })
  const editor = ({ page }: PageUser) => page.getByRole('textbox', { name: 'Input as JSON' })

  async function submitted(user: PageUser) {
    await user.submit()
    await user.untilStatus('SUCCESS')
    return system.task(user.shownId())
  }

  /** Input of the form of `openBooking` without further entries. */
  const MINIMAL_INPUT = { guest: 'Ada', seats: 3, room: 'hall', quiet: false, courses: [] }

  test('empty optional fields are omitted, and an empty required list is sent as []', async () => {
    await using user = await openBooking()
    expect((await submitted(user)).input).toEqual(MINIMAL_INPUT)
  })

  test('items of a list are added, moved and removed', async () => {
    await using user = await openBooking()
    const courses = part(user, 'Courses')
    for (const [place, course] of ['cake', 'soup', 'too much'].entries()) {
      await courses.getByRole('button', { name: 'Add to courses' }).click()
      // The new item has the focus.
      await courses.locator('input').nth(place).and(courses.locator(':focus')).waitFor()
      await user.page.keyboard.type(course)
    }
    await user.press('Move item 2 up')
    await user.press('Remove item 3')
    expect((await submitted(user)).input).toEqual({ ...MINIMAL_INPUT, courses: ['soup', 'cake'] })
  })

  test('groups, lists of groups, records and times have the right values in the input', async () => {
    await using user = await openBooking({ timezoneId: 'Asia/Kolkata' })
    await part(user, 'Address').getByLabel('Street').fill('Long Lane')
    const people = part(user, 'People')
    await people.getByRole('button', { name: 'Add to people' }).click()
    await people.getByLabel('Name').fill('Grace')
    await people.getByLabel('Vegan').check()
    const marks = part(user, 'Marks')
    await marks.getByRole('button', { name: 'Add to marks' }).click()
    await marks.getByRole('textbox', { name: 'Name 1' }).fill('wine')
    await marks.getByRole('textbox', { name: 'Value 1' }).fill('red')
    await user.page.getByLabel('At', { exact: true }).fill('2030-01-31T12:30')
    await user.page.getByLabel('Day').fill('2030-02-01')
    await user.page.getByLabel('Music').selectOption({ label: 'No' })
    await user.fill('Budget', '12.5')
    expect((await submitted(user)).input).toEqual({
      ...MINIMAL_INPUT,
      address: { street: 'Long Lane' },
      people: [{ name: 'Grace', vegan: true }],
      marks: { wine: 'red' },
      at: '2030-01-31T07:00:00.000Z',
      day: '2030-02-01',
      music: false,
      budget: 12.5,
    })
  })

  test('errors in groups, lists and records are shown at their fields', async () => {
    await using user = await openBooking()
    await part(user, 'Address').getByLabel('Floor').fill('3')
    const courses = part(user, 'Courses')
    await courses.getByRole('button', { name: 'Add to courses' }).click()
    const marks = part(user, 'Marks')
    for (const number of [1, 2]) {
      await marks.getByRole('button', { name: 'Add to marks' }).click()
      await marks.getByRole('textbox', { name: `Name ${number}` }).fill('same')
      await marks.getByRole('textbox', { name: `Value ${number}` }).fill('x')
    }
    await user.submit()
    expect(await user.page.locator('.field-fault').allTextContents()).toEqual([
      'Item 1 is required.',
      'Street is required.',
      'Duplicate name “same”.',
    ])
    await expect.poll(() => user.page.evaluate('document.activeElement.id')).toBe('field-booking-courses/0')
    await courses.getByRole('textbox', { name: 'Item 1' }).fill('soup')
    expect(await user.page.locator('.field-fault').allTextContents()).not.toContain('Item 1 is required.')
  })

  test('switching between form and JSON keeps all values', async () => {
    await using user = await openBooking()
    await part(user, 'Courses').getByRole('button', { name: 'Add to courses' }).click()
    await user.page.getByRole('textbox', { name: 'Item 1' }).fill('soup')
    await user.fill('Tip', 'much')
    await user.press('Edit as JSON')
    expect(JSON.parse(await editor(user).inputValue())).toEqual({
      ...MINIMAL_INPUT,
      tip: 'much',
      courses: ['soup'],
    })
    await editor(user).fill(
      JSON.stringify({
        ...MINIMAL_INPUT,
        tip: 2,
        courses: ['a', 'b'],
        people: [{ name: 'Bo', vegan: true }],
        more: { kept: 1 },
      }),
    )
    await user.press('Edit in the form')
    expect(await user.page.getByRole('textbox', { name: 'Tip' }).inputValue()).toBe('2')
    expect(await user.page.getByRole('textbox', { name: 'Item 2' }).inputValue()).toBe('b')
    expect(await part(user, 'People').getByLabel('Vegan').isChecked()).toBe(true)
    // A member without a field is kept too.
    await user.press('Edit as JSON')
    expect(JSON.parse(await editor(user).inputValue())).toMatchObject({ tip: 2, more: { kept: 1 } })
  })

  test('invalid JSON is reported with its line, and JSON without matching fields stays JSON', async () => {
    await using user = await openBooking()
    await user.press('Edit as JSON')
    await editor(user).fill('{\n  "guest": "Ada",\n  "seats": 3,\n}')
    await user.press('Edit in the form')
    await user.untilText("Line 4, column 1: Quoted object key expected but got '}'.")
    await user.submit()
    expect(await editor(user).getAttribute('aria-invalid')).toBe('true')
    await editor(user).fill('{"guest": ["a list"]}')
    await user.press('Edit in the form')
    await user.untilText('The form has no fields for all of this')
    // Such JSON is submitted, and the API validates it.
    await user.submit()
    await user.untilText('#/input/guest')
    await editor(user).fill(JSON.stringify({ ...MINIMAL_INPUT, seats: 4 }))
    expect((await submitted(user)).input).toEqual({ ...MINIMAL_INPUT, seats: 4 })
  })

  test('a number beyond double precision is sent with all digits, and the error of the API is shown', async () => {
    await using user = await open()
    await user.pick('Echo')
    await user.fill('Value', '{"id": 12345678901234567890, "small": 0.1}')
    const request = user.page.waitForRequest('**/v1/tasks/echo')
    await user.submit()
    expect((await request).postData()).toBe('{"input":{"value":{"id":12345678901234567890,"small":0.1}}}')
    await user.untilText('is too large to be kept as it is written')
    await user.fill('Value', '{"id": "12345678901234567890", "small": 0.1}')
    expect((await submitted(user)).input).toEqual({ value: { id: '12345678901234567890', small: 0.1 } })
  })

  test('options are submitted with the task, and errors of the API are shown at their fields', async () => {
    await using user = await openBooking()
    await user.press('Options')
    await user.fill('Delay in seconds', '3600')
    await user.fill('Tags', 'one, two')
    await user.fill('Retries', '101')
    await user.fill('Callback URL', 'https://127.0.0.1/hook')
    await user.fill('Queue', 'NOT A QUEUE')
    await user.submit()
    await user.untilText('Enter 100 or less.')
    await user.fill('Retries', '7')
    await user.submit()
    await user.untilText('must be lower case letters, digits, - and _, at most 64')
    const queue = user.page.getByRole('textbox', { name: 'Queue' })
    expect(await queue.getAttribute('aria-invalid')).toBe('true')
    await queue.fill('later')
    await user.submit()
    const callback = user.page.getByRole('textbox', { name: 'Callback URL' })
    await expect.poll(() => callback.getAttribute('aria-invalid')).toBe('true')
    await callback.fill('')
    await user.fill('Timeout in seconds', '2.5')
    await user.submit()
    await user.untilStatus('PENDING')
    const task = await system.task(user.shownId())
    expect(task).toMatchObject({ queue: 'later', tags: ['one', 'two'], max_retries: 7, timeout_seconds: 2.5 })
    expect(Date.parse(task.run_at) - Date.parse(task.created_at)).toBeGreaterThan(3_500_000)
  })

  test('a delay and a start time exclude each other', async () => {
    await using user = await openBooking()
    await user.press('Options')
    await user.fill('Delay in seconds', '5')
    await user.page.getByLabel('Run at').fill('2030-01-31T12:30')
    await user.submit()
    await user.untilText('Set either a delay or a start time.')
  })

  test('priority and expiry are submitted, and contradictions are shown at their fields', async () => {
    await using user = await openBooking()
    const { page } = user
    await user.press('Options')
    await page.getByLabel('Priority').selectOption({ label: 'high' })
    await user.fill('Expires in seconds', '0')
    await user.submit()
    await user.untilText('Enter more than 0.')
    await user.fill('Delay in seconds', '7200')
    await user.fill('Expires in seconds', '3600')
    await user.submit()
    await user.untilText('Enter more than the delay.')
    await page.getByLabel('Expires at').fill('2030-01-31T12:30')
    await user.fill('Delay in seconds', '')
    await user.submit()
    await user.untilText('Set either a number of seconds or a time for the expiry.')
    await user.fill('Expires in seconds', '')
    await page.getByLabel('Run at').fill('2030-01-31T12:30')
    await user.submit()
    await user.untilText('Enter a time after the start time.')
    await page.getByLabel('Run at').fill('')
    await page.getByLabel('Expires at').fill('')
    await user.fill('Expires in seconds', '3600')
    await user.fill('Queue', 'unserved')
    await user.submit()
    await user.untilStatus('PENDING')
    const { priority, expires_at, created_at } = await system.task(user.shownId())
    expect(priority).toBe('high')
    expect(Date.parse(expires_at ?? '') - Date.parse(created_at)).toBeGreaterThan(3_500_000)
  })

  test('the last five inputs are offered again and can be cleared', async () => {
    await using user = await openBooking()
    await user.press('Options')
    await user.fill('Tags', 'remembered')
    for (const seats of [1, 2, 3, 4, 5, 6]) {
      await user.fill('Seats', String(seats))
      await user.submit()
      await user.page.waitForURL((url) => url.hash.includes('task='))
      await user.untilStatus('SUCCESS')
      await user.page.goto(`${system.url}/#/run/booking`)
      await user.untilText('No task selected')
    }
    await user.page.reload()
    const menu = user.page.getByLabel('Last inputs', { exact: true })
    await menu.waitFor()
    const texts = await menu.locator('option').allTextContents()
    expect(texts).toHaveLength(6)
    expect(texts[1]).toContain('"seats":6')
    expect(texts.at(-1)).toContain('"seats":2')
    await menu.selectOption({ index: 5 })
    expect(await user.page.getByRole('textbox', { name: 'Seats' }).inputValue()).toBe('2')
    await user.untilText('Options (1 set)')
    await user.press('Clear the last inputs')
    expect(await menu.count()).toBe(0)
    await user.page.reload()
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
    expect(await menu.count()).toBe(0)
  })

  test('without local storage no inputs are kept, and everything else works', async () => {
    await using user = await open()
    await user.page.addInitScript(
      `Object.defineProperty(window, 'localStorage', { get() { throw new Error('not allowed') } })`,
    )
    await user.page.reload()
    await user.fill('E-mail address', 'ada@example.com')
    await user.submit()
    await user.untilStatus('SUCCESS')
    expect(await user.page.getByLabel('Last inputs', { exact: true }).count()).toBe(0)
  })

  test('the input of http_request is filled in with fields, without JSON', async () => {
    await using user = await open()
    await user.pick('Send an HTTP request')
    await user.fill('URL', 'https://example.com/hooks')
    await user.page.getByLabel('Method').selectOption('PUT')
    const headers = part(user, 'Headers')
    await headers.getByRole('button', { name: 'Add to headers' }).click()
    await headers.getByRole('textbox', { name: 'Name 1' }).fill('X-Shop')
    await headers.getByRole('textbox', { name: 'Value 1' }).fill('bees')
    const statuses = part(user, 'Statuses')
    for (const [index, status] of ['200', '300-399'].entries()) {
      await statuses.getByRole('button', { name: 'Add to statuses' }).click()
      await statuses.getByRole('textbox', { name: `Status ${index + 1}` }).fill(status)
    }
    await user.press('Options')
    await user.fill('Delay in seconds', '3600')
    await user.submit()
    await user.untilStatus('PENDING')
    expect((await system.task(user.shownId())).input).toEqual({
      url: 'https://example.com/hooks',
      method: 'PUT',
      headers: { 'X-Shop': 'bees' },
      expect: { status: [200, '300-399'] },
    })
  })
})
