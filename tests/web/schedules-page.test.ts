// The views of schedules in a real browser.
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

const report = defineTask({
  name: 'report',
  title: 'Write a report',
  description: 'Has a sensitive field.',
  input: z.object({ to: z.string(), token: z.string().meta({ sensitive: true }) }),
  output: z.null(),
  example: { to: 'ada', token: 'x' },
  schedules: [
    {
      name: 'of-code',
      cron: '30 2 * * *',
      timeZone: 'Europe/Berlin',
      input: { to: 'ada', token: 'hidden' },
      jitterSeconds: 60,
    },
  ],
  run: async () => null,
})
const oneAtATime = defineTask({
  name: 'one_at_a_time',
  title: 'One at a time',
  description: 'Is in a queue without a worker.',
  queue: 'nobody',
  input: z.object({}),
  output: z.null(),
  example: {},
  unique: { until: 'finished' },
  run: async () => null,
})
const HOURLY = { definition: 'reverse', input: { text: 'ab' }, every_seconds: 3_600 }

describe.skipIf(!chromium)('schedules', () => {
  let system: TestSystem
  let browser: Browser
  beforeAll(async () => {
    const definitions = [report as TaskDefinition, oneAtATime as TaskDefinition]
    const starting = startSystem({ webRoot: WEB_ROOT, definitions, worker: { scheduleMs: 100 } })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
    await until(
      () => system.connections.scheduleStore.find('of-code'),
      (row) => row !== undefined,
    )
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (hash: string, options?: Parameters<typeof openView>[3]) =>
    openView(browser, system.url, hash, options)
  const put = (name: string, body: object) => system.request('PUT', `/v1/schedules/${name}`, body)
  const remove = (name: string) => system.request('DELETE', `/v1/schedules/${name}`)
  const stored = async (name: string) =>
    (await system.request('GET', `/v1/schedules/${name}`)).body as Record<string, unknown>
  const untilHash = (page: Page, hash: string) => page.waitForURL((url) => url.hash === hash)

  test('the list shows times and next runs, in the zone of the schedule and in one’s own', async () => {
    await put('hourly', HOURLY)
    await using view = await open('#/schedules', { timezoneId: 'Asia/Kolkata', locale: 'en-GB' })
    const row = (name: RegExp) => view.page.getByRole('row', { name })
    await row(/^hourly/)
      .getByText('every hour')
      .waitFor()
    const ofCode = row(/^of-code report · in the code/)
    await ofCode.getByText('30 2 * * *').waitFor()
    await ofCode.getByText(/^in \d+\s(h|min|s)/).waitFor()
    await ofCode.getByText(/0[23]:[03]0 Europe\/Berlin$/).waitFor()
    // Berlin is 4 h 30 min behind in winter, and 3 h 30 min in summer. It has no 02:30 on one day in March.
    await ofCode.getByText(/0[67]:[03]0 your time$/).waitFor()
    expect(await row(/^hourly/).textContent()).not.toContain('your time')
    await remove('hourly')
  })

  test('a schedule is run, paused and resumed, and its last runs are shown as a strip', async () => {
    await put('strip', HOURLY)
    await using view = await open('#/schedules')
    const { page } = view
    const row = page.getByRole('row', { name: /^strip/ })
    await row.getByText('none yet').waitFor()
    await row.getByRole('button', { name: 'Run now: schedule strip' }).click()
    const strip = row.getByRole('link', { name: /^Last run: 1 / })
    await strip.waitFor()
    await row.getByRole('button', { name: 'Pause the schedule strip' }).click()
    await row.getByText('Paused', { exact: true }).waitFor()
    await row.getByText('none while paused').waitFor()
    expect(await stored('strip')).toMatchObject({ is_paused: true })
    await row.getByRole('button', { name: 'Resume the schedule strip' }).click()
    await row.getByText('Active', { exact: true }).waitFor()
    await strip.click()
    await untilHash(page, '#/schedules/strip')
    const runs = page.getByRole('region', { name: 'Last runs' })
    await runs.getByText('SUCCESS').waitFor()
    await runs.getByText('on request').waitFor()
    await runs.getByRole('link').click()
    await page.locator('.card-head [data-status=SUCCESS]').waitFor()
    await remove('strip')
  })

  test('runs that have met a unique task say so, each in a row of its own', async () => {
    const { definition, input } = { definition: 'one_at_a_time', input: {} }
    await put('met', { definition, input, every_seconds: 3_600 })
    for (const _ of [1, 2, 3]) await system.request('POST', '/v1/schedules/met/run')
    await using view = await open('#/schedules/met')
    const runs = view.page.getByRole('table', { name: 'Last runs' })
    await runs.getByText('met this task').nth(1).waitFor()
    expect(await runs.getByText('on request').count()).toBe(3)
    expect(await runs.getByText('met this task').count()).toBe(2)
    await remove('met')
  })

  test('a schedule is created with a preview of its next ticks, edited, and deleted after a question', async () => {
    await using view = await open('#/schedules', { timezoneId: 'Asia/Kolkata', locale: 'en-GB' })
    const { page } = view
    await page.getByRole('link', { name: 'New schedule' }).click()
    const name = page.getByRole('textbox', { name: 'Name' })
    await name.fill('of-code')
    await page.getByLabel('Definition').selectOption('reverse')
    await page.getByRole('textbox', { name: 'Cron expression' }).fill('0 9 99 * *')
    const preview = page.getByRole('region', { name: 'Preview' })
    await preview.getByText(/cron/).waitFor()
    await page.getByRole('textbox', { name: 'Cron expression' }).fill('0 9 * * *')
    await page.getByLabel('Time zone').selectOption('America/New_York')
    const ticks = preview.getByRole('list', { name: 'Next ticks' }).getByRole('listitem')
    await expect.poll(() => ticks.count()).toBe(5)
    await expect
      .poll(() => ticks.first().textContent())
      .toMatch(/09:00 America\/New_York.*(18|19):30 your time/)
    await page.getByRole('textbox', { name: 'Text' }).fill('ab')
    await page.getByRole('button', { name: 'Create schedule' }).click()
    await page.getByText('A schedule with this name exists.').waitFor()
    await name.and(page.locator(':focus')).waitFor()
    await name.fill('created')
    await page.keyboard.press('Enter')
    await untilHash(page, '#/schedules/created')
    expect(await stored('created')).toMatchObject({
      definition: 'reverse',
      input: { text: 'ab' },
      cron: '0 9 * * *',
      time_zone: 'America/New_York',
      overlap: 'skip',
      catch_up: 'one',
      jitter_seconds: 0,
    })

    await page.getByRole('radio', { name: 'Interval' }).check()
    await page.getByRole('textbox', { name: 'Interval in seconds' }).fill('900')
    await expect.poll(() => ticks.count()).toBe(5)
    await page.getByLabel('Catch up').selectOption('all')
    await page.getByRole('button', { name: 'Save changes' }).click()
    await page.getByText('"all" needs the overlap "allow"').first().waitFor()
    expect(await page.getByLabel('Catch up').getAttribute('aria-invalid')).toBe('true')
    await page.getByLabel('Overlap').selectOption('allow')
    await page.getByRole('button', { name: 'Save changes' }).click()
    await page.getByText('Saved.').waitFor()
    await page.getByText('every 15 minutes').waitFor()
    expect(await stored('created')).toMatchObject({
      cron: null,
      every_seconds: 900,
      overlap: 'allow',
      catch_up: 'all',
    })

    const deletion = page.getByRole('button', { name: 'Delete the schedule created' })
    await deletion.click()
    await page.getByRole('button', { name: 'Not now' }).click()
    await deletion.and(page.locator(':focus')).waitFor()
    expect(await stored('created')).toMatchObject({ name: 'created' })
    await deletion.click()
    await page.getByRole('button', { name: 'Delete schedule', exact: true }).click()
    await untilHash(page, '#/schedules')
    await page.getByRole('row', { name: /^of-code/ }).waitFor()
    expect(await page.getByRole('row', { name: /^created/ }).count()).toBe(0)
    await page.goto(new URL('#/schedules/created', system.url).href)
    await page.getByRole('heading', { name: 'There is no such schedule' }).waitFor()
  })

  test('an invalid input is refused at its field, and the input of another definition has other fields', async () => {
    await using view = await open('#/new-schedule')
    const { page } = view
    await page.getByRole('textbox', { name: 'Name' }).fill('inputs')
    await page.getByLabel('Definition').selectOption('reverse')
    await page.getByRole('radio', { name: 'Interval' }).check()
    await page.getByRole('textbox', { name: 'Interval in seconds' }).fill('60')
    await page.getByRole('button', { name: 'Create schedule' }).click()
    await page.getByText('Text is required.').waitFor()
    await page.getByRole('textbox', { name: 'Text' }).and(page.locator(':focus')).waitFor()
    await page.getByLabel('Definition').selectOption('email')
    await page.getByRole('textbox', { name: 'Text' }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Edit as JSON' }).click()
    await page.getByRole('textbox', { name: 'Input as JSON' }).fill('{"to": 1}')
    await page.getByRole('button', { name: 'Create schedule' }).click()
    await page.locator('.field-fault', { hasText: '#/input/' }).waitFor()
  })

  test('a schedule of the code can only be run and paused, and its sensitive values stay hidden', async () => {
    await using view = await open('#/schedules/of-code')
    const { page } = view
    await page.getByText('This schedule is part of the code.').waitFor()
    const ticks = page.getByRole('list', { name: 'Next ticks' }).getByRole('listitem')
    await expect.poll(() => ticks.count()).toBe(5)
    await page.getByText('"[sensitive]"').waitFor()
    expect(await page.getByRole('button', { name: /^Delete/ }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Save changes' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Pause the schedule of-code' }).click()
    await page.getByText('Paused', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Run now: schedule of-code' }).click()
    await page.getByRole('region', { name: 'Last runs' }).getByText('SUCCESS').waitFor()
    await page.getByRole('button', { name: 'Resume the schedule of-code' }).click()
    await page.getByText('Active', { exact: true }).waitFor()
  })

  test('the next ticks follow the time', async () => {
    // A paused schedule makes no tasks, but its ticks can be previewed.
    await put('often', { ...HOURLY, every_seconds: 1 })
    await system.request('POST', '/v1/schedules/often/pause')
    await using view = await open('#/schedules/often')
    const tick = view.page.getByRole('list', { name: 'Next ticks' }).locator('time').first()
    const first = await tick.getAttribute('datetime')
    await expect.poll(() => tick.getAttribute('datetime')).not.toBe(first)
    await remove('often')
  })

  test('a view whose code cannot be loaded says so, and the page can be loaded again', async () => {
    await using view = await open('#/')
    const { page } = view
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.route('**/schedules-view-*.js', (route) => route.abort())
    await page.getByRole('link', { name: 'Schedules' }).click()
    await page.getByRole('heading', { name: 'This view could not be loaded' }).waitFor()
    await page.unroute('**/schedules-view-*.js')
    await page.getByRole('button', { name: 'Load the page again' }).click()
    await page.getByRole('row', { name: /^of-code/ }).waitFor()
  })

  test('sensitive values of an input are entered again', async () => {
    await put('secret', { definition: 'report', input: { to: 'ada', token: 'hidden' }, every_seconds: 60 })
    await using view = await open('#/schedules/secret')
    const { page } = view
    await page.getByText('Sensitive values are not filled in: enter them again.').waitFor()
    expect(await page.getByRole('textbox', { name: 'To', exact: true }).inputValue()).toBe('ada')
    expect(await page.getByRole('textbox', { name: 'Token' }).inputValue()).toBe('')
    await page.getByRole('button', { name: 'Save changes' }).click()
    await page.getByText('Token is required.').waitFor()
    await remove('secret')
  })

  test('a page of the list has 20 schedules', async () => {
    const names = Array.from({ length: 21 }, (_, n) => `paged-${String(n).padStart(2, '0')}`)
    await Promise.all(names.map((name) => put(name, HOURLY)))
    await using view = await open('#/schedules')
    const rows = view.page.getByRole('rowheader')
    await view.page.getByRole('link', { name: 'Next page' }).click()
    await expect.poll(() => rows.allTextContents()).toEqual(['paged-19reverse', 'paged-20reverse'])
    await view.page.getByRole('link', { name: 'First page' }).click()
    await expect.poll(() => rows.count()).toBe(20)
    await Promise.all(names.map(remove))
  })

  test('the list fits screens of all widths', async () => {
    const name = 'a-long-name-of-a-schedule-in-new-york'
    await put(name, {
      ...HOURLY,
      every_seconds: undefined,
      cron: '0 9 * * MON-FRI',
      time_zone: 'America/New_York',
    })
    await system.request('POST', `/v1/schedules/${name}/run`)
    await using view = await open('#/schedules', { timezoneId: 'Asia/Kolkata' })
    await view.page
      .getByRole('row', { name: new RegExp(`^${name}`) })
      .getByRole('link', { name: /^Last run: / })
      .waitFor()
    for (const width of [840, 1000, 1210, 1230]) {
      await view.page.setViewportSize({ width, height: 900 })
      expect(await view.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    }
    await remove(name)
  })

  test('the views fit a screen of 360 pixels', async () => {
    await put('narrow', {
      ...HOURLY,
      every_seconds: undefined,
      cron: '0 9 * * *',
      time_zone: 'America/New_York',
    })
    await system.request('POST', '/v1/schedules/narrow/run')
    await using view = await open('#/schedules', { viewport: { width: 360, height: 740 } })
    for (const [hash, text] of Object.entries({
      '#/schedules': 'Run now',
      '#/schedules/narrow': 'Save changes',
      '#/schedules/of-code': 'Run now',
      '#/new-schedule': 'Create schedule',
    })) {
      await view.page.goto(new URL(hash, system.url).href)
      await view.page.getByText(text).first().waitFor()
      await expect.poll(() => view.page.locator('.skeleton').count()).toBe(0)
      expect([hash, await view.page.evaluate('document.documentElement.scrollWidth')]).toEqual([hash, 360])
    }
    await remove('narrow')
  })
})

describe.skipIf(!chromium)('with a key that has only the scope "read"', () => {
  test('schedules can be seen and previewed, and the buttons are disabled', async () => {
    const keys = createTestKeys({ reader: ['read'] })
    const system = await startSystem({
      webRoot: WEB_ROOT,
      apiKeys: keys.apiKeys,
      definitions: [report as TaskDefinition],
    })
    const browser = await launchBrowser(chromium ?? '')
    try {
      await using view = await openView(browser, system.url, '#/schedules')
      const { page } = view
      await page.getByLabel('API key').fill(keys.key('reader'))
      await page.keyboard.press('Enter')
      const run = page.getByRole('button', { name: 'Run now: schedule of-code' })
      await run.waitFor()
      await expect.poll(() => run.getAttribute('aria-disabled')).toBe('true')
      await page.getByText('it lacks the scope “operate”').waitFor()
    } finally {
      await browser.close()
      await system.stop()
    }
  })
})
