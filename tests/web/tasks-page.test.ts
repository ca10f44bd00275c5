// The list of tasks in a real browser: filters, paging, live updates, columns, and bulk actions.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser } from '../support/browser.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

const broken = new Set<string>()
/** Fails while `broken` contains the cause in its input. */
const fragile = defineTask({
  name: 'fragile',
  title: 'Depends on others',
  description: 'for tests',
  input: z.object({ cause: z.string() }),
  output: z.string(),
  example: { cause: 'none' },
  maxRetries: 0,
  async run({ cause }) {
    if (broken.has(cause)) throw new Error(`still ${cause}`)
    return 'well'
  },
})

interface Visitor {
  page: Page
  /** Titles of the rows, from the top. */
  rows(): Promise<string[]>
  untilRows(count: number): Promise<void>
  filter(text: string): Promise<void>
  press(button: string): Promise<void>
  untilText(text: string | RegExp): Promise<void>
  hash(): string
  [Symbol.asyncDispose](): Promise<void>
}

async function visit(browser: Browser, url: string, options?: BrowserContextOptions): Promise<Visitor> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  await page.goto(url)
  const row = page.locator('[data-task]')
  return {
    page,
    rows: () => page.locator('[data-task] .task-link').allTextContents(),
    untilRows: (count) => expect.poll(() => row.count()).toBe(count),
    async filter(text) {
      await page.getByRole('combobox', { name: 'Filter tasks' }).fill(text)
      await page.keyboard.press('Enter')
    },
    press: (name) => page.getByRole('button', { name, exact: true }).click(),
    untilText: (text) => page.getByText(text).first().waitFor(),
    hash: () => decodeURIComponent(new URL(page.url()).hash),
    [Symbol.asyncDispose]: () => context.close(),
  }
}

describe.skipIf(!chromium)('the list of tasks', () => {
  const gate = createGatedTask()
  const definitions = [gate.definition, fragile]
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    // `npm test` builds the page before the tests; a run of this file alone may have to.
    if (!existsSync(join(WEB_ROOT, 'index.html'))) {
      const { build } = await import('vite')
      await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
    }
    const starting = startSystem({ webRoot: WEB_ROOT, definitions })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (query = '', options?: BrowserContextOptions) =>
    visit(browser, `${system.url}/#/tasks${query}`, options)

  const submitMany = async (count: number, name: string, input: object, options: object) => {
    const tasks = Array.from({ length: count }, () => ({ name, input, options }))
    await system.request('POST', '/v1/tasks/batch', { tasks })
  }
  const untilCount = (query: string, wanted: number) =>
    until(
      async () => {
        const { body } = await system.request('GET', `/v1/tasks/count?${query}`)
        return (body as { count: number }).count
      },
      (count) => count === wanted,
    )

  test('an empty list says so and links to the form', async () => {
    await using user = await open()
    await user.untilText('No tasks yet')
    await user.page.getByRole('main').getByRole('link', { name: 'Run a task' }).click()
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
  })

  describe('can be filtered', () => {
    beforeAll(async () => {
      const unserved = { queue: 'unserved', tags: ['filtered'] }
      await system.submit('notify', { email: 'ada@example.com' }, unserved)
      await system.submit('notify', { email: 'bob@example.com' }, unserved)
      await system.submit('divide', { x: 7, y: 2 }, unserved)
    })

    test('by a member of the input, and the URL opens the same list in another browser', async () => {
      await using user = await open()
      await user.untilRows(3)
      await user.filter('input.email=ada@example.com')
      await user.untilRows(1)
      expect(user.hash()).toBe('#/tasks?input.email=ada@example.com')
      await user.untilText('1 matching task')
      await using other = await visit(browser, user.page.url())
      await other.untilRows(1)
      await other.page.getByRole('button', { name: 'Remove the filter input.email ada@example.com' }).click()
      await other.untilRows(3)
      expect(other.hash()).toBe('#/tasks')
    })

    test('by suggestions with the keyboard, and Back restores earlier filters', async () => {
      await using user = await open()
      const { keyboard } = user.page
      await user.untilRows(3)
      await keyboard.press('/')
      await keyboard.type('divid')
      await user.page.getByRole('option', { name: 'name=divide' }).waitFor()
      await keyboard.press('ArrowDown')
      await keyboard.press('Enter')
      await user.untilRows(1)
      await keyboard.type('input.')
      await user.page.getByRole('option', { name: 'input.x=' }).click()
      await keyboard.type('7')
      await keyboard.press('Enter')
      await expect.poll(user.hash).toBe('#/tasks?name=divide&input.x=7')
      await user.page.goBack()
      await expect.poll(user.hash).toBe('#/tasks?name=divide')
      await user.page.goBack()
      await user.untilRows(3)
      // Backspace in the empty box removes the last filter.
      await user.filter('tag=filtered')
      await expect.poll(user.hash).toBe('#/tasks?tag=filtered')
      await user.page.getByRole('button', { name: 'Remove the filter tag filtered' }).waitFor()
      await keyboard.press('Backspace')
      await expect.poll(user.hash).toBe('#/tasks')
    })

    test('by status, time range, id and free text', async () => {
      await using user = await open()
      await user.untilRows(3)
      await user.press('PENDING')
      await user.page.getByRole('combobox', { name: 'Submitted' }).selectOption('1h')
      await expect.poll(user.hash).toBe('#/tasks?status=PENDING&since=1h')
      await user.untilRows(3)
      await user.press('FAILURE')
      await user.press('PENDING')
      await user.untilText('No task matches')
      await user.page.locator('.empty').getByRole('button', { name: 'Clear filters' }).click()
      await user.untilRows(3)
      const id = (await user.page.locator('[data-task]').first().getAttribute('data-task')) ?? ''
      await user.filter(id.slice(0, 36))
      await expect.poll(user.hash).toBe(`#/tasks?id=${id}`)
      await user.untilRows(1)
      await user.press('Clear filters')
      await user.filter('BOB@example')
      await expect.poll(user.hash).toBe('#/tasks?q=BOB@example')
      await user.untilRows(1)
    })

    test('by clicks that follow each other before the list is rendered again', async () => {
      await using user = await open()
      await user.press('FAILURE')
      await user.page.getByRole('button', { name: 'Clear filters' }).first().waitFor()
      // All three clicks happen before the next frame.
      await user.page.evaluate(`
        for (const name of ['Clear filters', 'SUCCESS', 'PENDING'])
          [...document.querySelectorAll('button')].find((button) => button.textContent.trim() === name).click()
      `)
      await expect.poll(user.hash).toBe('#/tasks?status=SUCCESS,PENDING')
    })

    test('and an invalid filter is reported', async () => {
      await using user = await open()
      await user.untilRows(3)
      await user.filter('status=LOST')
      await user.untilText('There is no status “LOST”.')
      expect(user.hash()).toBe('#/tasks')
      await using other = await open('?input.a.=1')
      await other.untilText('The API rejected these filters')
      await other.page.locator('.empty').getByRole('button', { name: 'Clear filters' }).click()
      await other.untilRows(3)
    })

    test('and a row links to its task', async () => {
      await using user = await open('?input.x=7')
      await user.untilRows(1)
      const id = await user.page.locator('[data-task]').getAttribute('data-task')
      await user.page.locator('.task-link').click()
      expect(user.hash()).toBe(`#/tasks/${id}`)
    })
  })

  test('the pages can be opened one by one, and a link leads to the newest tasks', async () => {
    await submitMany(120, 'reverse', { text: 'page' }, { queue: 'unserved', tags: ['paged'] })
    await using user = await open('?tag=paged')
    await user.untilRows(50)
    const older = user.page.getByRole('link', { name: 'Older' })
    await older.click()
    await expect.poll(user.hash).toContain('cursor=')
    await user.untilText('50 matching tasks, submitted before')
    await older.click()
    await user.untilRows(20)
    await user.untilText('End of the list.')
    expect(await older.count()).toBe(0)
    await user.page.goBack()
    await user.untilRows(50)
    await user.page.getByRole('link', { name: 'Newest' }).click()
    await expect.poll(user.hash).toBe('#/tasks?tag=paged')
  })

  test('the list is updated automatically unless it is paused', async () => {
    await using user = await open('?tag=live')
    await user.untilText('No task matches')
    await system.submit('gated', { gate: 'live' }, { tags: ['live'] })
    await user.untilRows(1)
    await user.page.locator('[data-task] [data-status=STARTED]').waitFor()
    await user.press('Pause')
    gate.open('live')
    await untilCount('tag=live&status=SUCCESS', 1)
    const requestedUrls: string[] = []
    user.page.on('request', (request) => requestedUrls.push(request.url()))
    await system.submit('reverse', { text: 'b' }, { tags: ['live'] })
    // Longer than the interval between two requests of a live list.
    await user.page.waitForTimeout(3_000)
    expect(requestedUrls.filter((url) => url.includes('/v1/tasks'))).toEqual([])
    expect(await user.rows()).toEqual(['Wait at a gate'])
    await user.press('Resume')
    await user.untilRows(2)
    await user.page.locator('[data-task]').nth(1).locator('[data-status=SUCCESS]').waitFor()
  })

  test('rows do not move while a task is selected', async () => {
    await submitMany(2, 'reverse', { text: 'a' }, { tags: ['frozen'], queue: 'unserved' })
    await using user = await open('?tag=frozen')
    await user.untilRows(2)
    await user.page
      .getByRole('checkbox', { name: /^Select Reverse/ })
      .first()
      .check()
    await system.submit('divide', { x: 1, y: 1 }, { tags: ['frozen'], queue: 'unserved' })
    await user.untilText('Show 1 new task')
    expect(await user.rows()).toEqual(['Reverse a text', 'Reverse a text'])
    await user.press('Show 1 new task')
    expect(await user.rows()).toEqual(['Divide two numbers', 'Reverse a text', 'Reverse a text'])
  })

  describe('bulk actions', () => {
    test('the selected tasks are cancelled after a confirmation', async () => {
      await submitMany(3, 'reverse', { text: 'a' }, { tags: ['some'], queue: 'unserved' })
      await using user = await open('?tag=some')
      await user.untilRows(3)
      const boxes = user.page.getByRole('checkbox', { name: /^Select Reverse/ })
      await boxes.nth(0).check()
      await boxes.nth(2).check()
      await user.untilText('2 selected.')
      await user.press('Cancel')
      await user.untilText('Cancel 2 tasks?')
      await user.press('Not now')
      await untilCount('tag=some&status=PENDING', 3)
      await user.press('Cancel')
      await user.press('Cancel 2 tasks')
      await user.untilText('2 cancelled.')
      await user.press('Close')
      await untilCount('tag=some&status=CANCELLED', 2)
      await user.page.locator('[data-task]').nth(1).locator('[data-status=PENDING]').waitFor()
    })

    test('all matching tasks are retried, not only those of this page', async () => {
      broken.add('outage')
      await submitMany(200, 'fragile', { cause: 'outage' }, { tags: ['outage'] })
      await submitMany(3, 'reverse', { text: 'well' }, { tags: ['outage'] })
      await untilCount('tag=outage&status=FAILURE', 200)
      broken.delete('outage')
      await using user = await open('?tag=outage')
      await user.untilRows(50)
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.untilText('50 selected.')
      await user.press('Select all matching tasks')
      await user.untilText('All 203 matching tasks are selected.')
      await user.press('Retry')
      await user.untilText('Retry 200 tasks?')
      await user.press('Retry 200 tasks')
      await user.untilText('200 retried.')
      await user.press('Close')
      await untilCount('tag=outage&status=SUCCESS', 203)
    })

    test('the outcome counts tasks that were no longer failed', async () => {
      broken.add('flicker')
      await submitMany(5, 'fragile', { cause: 'flicker' }, { tags: ['flicker'] })
      await untilCount('tag=flicker&status=FAILURE', 5)
      broken.delete('flicker')
      await using user = await open('?tag=flicker')
      await user.untilRows(5)
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.press('Retry')
      await user.untilText('Retry 5 tasks?')
      const { body } = await system.request('GET', '/v1/tasks?tag=flicker&limit=2')
      for (const { id } of (body as { data: { id: string }[] }).data) await system.service.retry(id)
      await untilCount('tag=flicker&status=SUCCESS', 2)
      await user.press('Retry 5 tasks')
      await user.untilText('3 retried, 2 were no longer failed or cancelled.')
    })

    test('replays are new tasks and are not replayed by the same action', async () => {
      await submitMany(120, 'reverse', { text: 'a' }, { tags: ['twice'], queue: 'unserved' })
      await using user = await open('?tag=twice')
      await user.untilRows(50)
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.press('Select all matching tasks')
      await user.press('Replay')
      await user.press('Replay 120 tasks')
      await user.untilText('120 replayed.')
      await untilCount('tag=twice', 240)
    })

    test('an action can be stopped after a batch', async () => {
      await submitMany(150, 'reverse', { text: 'a' }, { tags: ['stopped'], queue: 'unserved' })
      await using user = await open('?tag=stopped')
      await user.untilRows(50)
      const first = Promise.withResolvers<void>()
      await user.page.route('**/v1/tasks/bulk', async (route) => {
        await first.promise
        await route.continue()
      })
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.press('Select all matching tasks')
      await user.press('Replay')
      await user.press('Replay 150 tasks')
      await user.press('Stop')
      first.resolve()
      await user.untilText('Stopped: 100 of 150 replayed.')
      await untilCount('tag=stopped', 250)
    })

    test('an action whose response was lost can be continued and takes effect once', async () => {
      await submitMany(130, 'reverse', { text: 'a' }, { tags: ['lost'], queue: 'unserved' })
      await using user = await open('?tag=lost')
      await user.untilRows(50)
      // The API executes the first batch, and its response is lost.
      await user.page.route(
        '**/v1/tasks/bulk',
        async (route) => {
          await route.fetch()
          await route.abort()
        },
        { times: 1 },
      )
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.press('Select all matching tasks')
      await user.press('Replay')
      await user.press('Replay 130 tasks')
      await user.untilText('0 of 130 replayed before the error.')
      await user.press('Continue')
      await user.untilText('130 replayed.')
      await untilCount('tag=lost', 260)
    })

    test('an action that applies to none of the selected tasks says so before it starts', async () => {
      await using user = await open('?tag=filtered')
      await user.untilRows(3)
      await user.page.getByLabel('Select all tasks of this page').check()
      await user.press('Retry')
      await user.untilText('None of these tasks can be retried')
    })
  })

  test('the choice of columns is kept after a reload', async () => {
    await using user = await open('?tag=filtered')
    await user.untilRows(3)
    const heads = () => user.page.getByRole('columnheader').allTextContents()
    expect(await heads()).toContain('Queue')
    await user.page.getByText('Columns', { exact: true }).click()
    await user.page.getByRole('checkbox', { name: 'Queue' }).uncheck()
    await user.page.getByRole('checkbox', { name: 'Result' }).check()
    await user.page.reload()
    await user.untilRows(3)
    expect(await heads()).not.toContain('Queue')
    expect(await heads()).toContain('Result')
  })

  test('tasks can be selected and cancelled with the keyboard', async () => {
    await using user = await open('?tag=filtered')
    await user.untilRows(3)
    await user.page.getByLabel('Select all tasks of this page').focus()
    await user.page.keyboard.press('Space')
    await user.untilText('3 selected.')
    await user.page.getByRole('button', { name: 'Cancel', exact: true }).focus()
    await user.page.keyboard.press('Enter')
    await user.untilText('Cancel 3 tasks?')
    expect(await user.page.evaluate('document.activeElement.textContent')).toBe('Not now')
    await user.page.keyboard.press('Escape')
    await expect.poll(() => user.page.evaluate('document.activeElement.textContent')).toBe('Cancel')
  })

  test.each([
    ['a phone', 360],
    ['a tablet', 800],
    ['a small laptop', 1130],
  ])('the list fits the screen of %s', async (_name, width) => {
    await system.submit(
      'notify',
      { email: `${'long'.repeat(12)}@example.com` },
      {
        tags: ['wide', `${'w'.repeat(60)}`, 'another-tag'],
        queue: `q${'u'.repeat(50)}`,
      },
    )
    await using user = await open('?tag=wide&input.email=x', { viewport: { width, height: 740 } })
    const contentWidth = () => user.page.evaluate('document.documentElement.scrollWidth')
    await user.untilText('No task matches')
    expect(await contentWidth()).toBe(width)
    await user.page.goto(`${system.url}/#/tasks?tag=wide&q=${'long'.repeat(12)}`)
    await user.page.locator('[data-task]').first().waitFor()
    await user.page.getByText('Columns', { exact: true }).click()
    for (const name of ['Result', 'Worker', 'Finished'])
      await user.page.getByRole('checkbox', { name }).check()
    expect(await contentWidth()).toBe(width)
    await user.page.keyboard.press('Escape')
    await user.page.getByLabel('Select all tasks of this page').check()
    expect(await contentWidth()).toBe(width)
    await user.press('Replay')
    await user.untilText(/^Replay \d task/)
    expect(await contentWidth()).toBe(width)
  })

  test('during an outage the list keeps its rows, and afterwards it is updated without a reload', async () => {
    await using user = await open('?tag=filtered')
    await user.untilRows(3)
    await system.stopApi()
    await user.untilText('The API cannot be reached.')
    expect(await user.rows()).toHaveLength(3)
    await system.startApi()
    await system.submit('reverse', { text: 'back' }, { tags: ['filtered'], queue: 'unserved' })
    await user.untilRows(4)
  })
})

describe.skipIf(!chromium)('the list of tasks, with an API that requires a key', () => {
  const keys = createTestKeys({ all: ['submit', 'read', 'operate'], reader: ['read'], submitter: ['submit'] })
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    const starting = startSystem({ webRoot: WEB_ROOT, apiKeys: keys.apiKeys, worker: false })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
    const headers = { Authorization: `Bearer ${keys.key('all')}` }
    await system.request('POST', '/v1/tasks/reverse', { input: { text: 'a' } }, headers)
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  async function openWith(key: string): Promise<Visitor> {
    const user = await visit(browser, `${system.url}/#/tasks`)
    await user.page.getByLabel('API key').fill(keys.key(key))
    await user.page.keyboard.press('Enter')
    return user
  }

  test('a key with only "read" cannot cancel, retry or replay, and the page says so', async () => {
    await using user = await openWith('reader')
    await user.untilRows(1)
    await user.untilText(
      'This key may not change tasks, queues, workers or schedules: it lacks the scope “operate”.',
    )
    await user.page.getByLabel('Select all tasks of this page').check()
    for (const name of ['Cancel', 'Retry', 'Replay']) {
      const button = user.page.getByRole('button', { name, exact: true })
      expect(await button.getAttribute('aria-disabled')).toBe('true')
    }
    await user.press('Use another key')
    await user.page.getByLabel('API key').fill(keys.key('all'))
    await user.page.keyboard.press('Enter')
    await user.press('Cancel')
    await user.press('Cancel 1 task')
    await user.untilText('1 cancelled.')
  })

  test('a key without "read" sees no tasks, and the page says why', async () => {
    await using user = await openWith('submitter')
    await user.untilText('This key may not see tasks: it lacks the scope “read”.')
    expect(await user.rows()).toEqual([])
  })

  test('forgetting the key removes the tasks from the page', async () => {
    await using user = await openWith('all')
    await user.untilRows(1)
    await user.press('Forget key')
    await user.untilText('Enter a key to see the tasks.')
    expect(await user.rows()).toEqual([])
  })
})
