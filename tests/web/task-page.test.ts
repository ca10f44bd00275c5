// The page of one task in a real browser: progress, log, attempts, replay, and copied calls.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { RefusedEnd } from '../../src/store/schema.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { findChromium, launchBrowser, openPage, type PageUser } from '../support/browser.ts'
import {
  booking,
  createGatedTask,
  createLoggingTask,
  echo,
  failFirst,
  largeInteger,
} from '../support/browser-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()

describe.skipIf(!chromium)('the page of a task', () => {
  const gate = createGatedTask()
  const logging = createLoggingTask()
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    if (!existsSync(join(WEB_ROOT, 'index.html'))) {
      const { build } = await import('vite')
      await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
    }
    const definitions = [gate.definition, logging.definition, booking, largeInteger, echo, failFirst]
    const starting = startSystem({ webRoot: WEB_ROOT, definitions })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  /** Opens the page of this task in a new browser context, as a link does. */
  async function openTask(id: string, options?: Parameters<typeof openPage>[2]): Promise<PageUser> {
    const user = await openPage(browser, system.url, options)
    await goToTask(user, id)
    return user
  }

  async function goToTask({ page }: PageUser, id: string) {
    await page.goto(`${system.url}/#/tasks/${id}`)
    await page.locator('.task-page').waitFor()
  }

  /** Creates a task whose attempt 1 was lost and ended late with this result. Its second attempt waits. */
  async function loseAttempt(end: Pick<RefusedEnd, 'result' | 'isResultCut'>): Promise<string> {
    const { taskStore } = system.connections
    const { id } = await system.submit('reverse', { text: 'ab' }, { queue: 'unserved' })
    const workerId = newId()
    await taskStore.claimMany([{ id, attempt: 0, workerId, isRepeated: false }])
    const error = { name: 'WorkerLost', message: 'worker lost during attempt 1', retryable: true }
    const decision = { status: 'RETRY' as const, error, failures: 1, delayMs: 3_600_000 }
    await taskStore.finishMany([{ id, attempt: 1, workerId, decision }])
    const at = new Date().toISOString()
    const refused = { at, status: 'SUCCESS' as const, ...end, log: [{ at, message: 'last line' }] }
    const late = { status: 'SUCCESS' as const, failures: 0 }
    await taskStore.recordRefusedMany([
      { id, attempt: 1, workerId, decision: late, startedAt: new Date(), refused },
    ])
    return id
  }

  const idOf = (user: PageUser) => /#\/tasks\/([0-9a-f-]{36})/.exec(user.page.url())?.[1] ?? ''

  /** Waits until the page shows another task than this one, and returns its id. */
  async function untilOtherTask(user: PageUser, id: string): Promise<string> {
    await user.page.waitForURL((url) => !url.hash.includes(id) && /#\/tasks\/[0-9a-f-]{36}$/.test(url.href))
    return idOf(user)
  }

  test('progress and log lines appear while a task runs, and the last lines when it has ended', async () => {
    const { id } = await system.submit('gated', { gate: 'watched' })
    await using user = await openTask(id)
    await user.untilStatus('STARTED')
    const log = user.page.getByRole('region', { name: 'Log of attempt 1' })
    await log.getByText('At the gate').waitFor()
    expect(await log.textContent()).toContain('{"gate":"watched","attempt":1}')
    await expect.poll(() => user.page.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('25')
    gate.open('watched')
    await user.untilStatus('SUCCESS')
    await log.getByText('Through the gate').waitFor()
    expect(await user.page.getByRole('region', { name: 'Result' }).first().textContent()).toContain('watched')
    await user.untilText('Attempt 1 succeeded')
    // Screen readers announce the status, but not every log line.
    expect(await user.page.locator('[aria-live], [role=log]').count()).toBe(0)
    expect(await user.page.locator('[role=status]', { hasText: 'SUCCESS' }).count()).toBe(1)
  })

  test('a paused log shows no new lines until it is followed again', async () => {
    const { id } = await system.submit('log_continuously', {})
    await using user = await openTask(id)
    const lines = user.page.locator('.log-line')
    await lines.first().waitFor()
    await user.press('Pause the log')
    const count = await lines.count()
    await until(
      async () => (await system.request('GET', `/v1/tasks/${id}/logs`)).body as { data: unknown[] },
      ({ data }) => data.length > count + 10,
    )
    expect(await lines.count()).toBe(count)
    await user.press('Follow the log')
    await expect.poll(() => lines.count()).toBeGreaterThan(count + 10)
    logging.stop()
    await user.untilStatus('SUCCESS')
  })

  test('every attempt shows its error and its log, and a manual retry adds an attempt', async () => {
    const { id } = await system.submit('fail_first', { times: 2 }, { max_retries: 1 })
    await system.taskWhenFinal(id)
    await using user = await openTask(id)
    await user.untilStatus('FAILURE')
    await user.page.getByRole('region', { name: 'Log of attempt 2' }).getByText('Attempt 2 begins').waitFor()
    await user.press('Attempt 1 failed')
    await user.page.getByRole('region', { name: 'Log of attempt 1' }).getByText('Attempt 1 begins').waitFor()
    expect(await user.page.getByText('failed in attempt 1').count()).toBeGreaterThan(0)
    await user.press('Retry task')
    await user.untilStatus('SUCCESS')
    await user.untilText('Attempt 3 succeeded')
    await user.page.getByRole('list', { name: 'How the time was spent' }).getByText(/^ran /).waitFor()
  })

  test('a late end is shown with its lost attempt: its result and its log are collapsed', async () => {
    const id = await loseAttempt({ result: '{"kept":"late result"}', isResultCut: undefined })
    await using user = await openTask(id)
    await user.page.getByText('Late result, refused').click()
    await user.untilText(/too late: it had been given up, another attempt had begun, or the task had ended/)
    await user.untilText('late result')
    await user.page
      .getByRole('region', { name: 'Last log lines of the late attempt' })
      .getByText('last line')
      .waitFor()
  })

  test('the first part of a large late result is shown', async () => {
    const id = await loseAttempt({ result: '"first part', isResultCut: true })
    await using user = await openTask(id)
    await user.page.getByText('Late result, refused').click()
    await user.untilText('"first part')
  })

  test('an attempt of which only the late end is known does not replace the attempt with the same number', async () => {
    const { taskStore } = system.connections
    const { id } = await system.submit('reverse', { text: 'ab' })
    await system.taskWhenFinal(id)
    const decision = { status: 'SUCCESS' as const, failures: 0 }
    const refused = { at: new Date().toISOString(), status: 'SUCCESS' as const, result: '1', log: [] }
    await taskStore.recordRefusedMany([
      { id, attempt: 1, workerId: newId(), decision, startedAt: new Date(), refused },
    ])
    await using user = await openTask(id)
    await user.untilText('Attempt 1 succeeded')
    await user.press('Attempt 1 ended too late')
    await user.page.getByText('Late result, refused').waitFor()
    expect(await user.page.getByText('Attempt 1 failed').count()).toBe(0)
  })

  test('the stack and the standard error of an error are collapsed', async () => {
    const { id } = await system.submit('fail_first', { times: 1 }, { max_retries: 0 })
    await system.taskWhenFinal(id)
    const { sql } = await import('../../src/store/drizzle.ts')
    const error = {
      name: 'Crash',
      message: 'gone',
      retryable: true,
      stack: 'at main',
      stderr: 'out of memory',
    }
    await system.connections.database.query(
      sql`update tasks set error = ${JSON.stringify(error)}::json, is_isolated = true, version = version + 1
          where id = ${id}::uuid`,
    )
    await using user = await openTask(id)
    const section = user.page.getByRole('region', { name: 'Error' })
    expect(await section.getByText('out of memory').isVisible()).toBe(false)
    await section.getByText('Standard error of the process').click()
    await section.getByText('out of memory').waitFor()
    await section.getByText('Stack').click()
    await section.getByText('at main').waitFor()
    await user.untilText('1 of 1, isolated process')
  })

  test('a running task is cancelled', async () => {
    const { id } = await system.submit('gated', { gate: 'cancelled here' })
    await using user = await openTask(id)
    await user.untilStatus('STARTED')
    await user.press('Cancel task')
    await user.untilStatus('CANCELLED')
    await user.untilText('Attempt 1 was cancelled')
  })

  test('a replay creates a new task that links to the original', async () => {
    const { id } = await system.submit('reverse', { text: 'again' })
    await system.taskWhenFinal(id)
    await using user = await openTask(id)
    await user.page.getByRole('button', { name: 'Replay', exact: true }).click()
    const replayed = await untilOtherTask(user, id)
    await user.untilStatus('SUCCESS')
    expect(await system.task(replayed)).toMatchObject({ replayed_from: id, input: { text: 'again' } })
    await user.page.getByRole('link', { name: id }).click()
    await user.page.waitForURL((url) => url.hash === `#/tasks/${id}`)
    await user.page.goBack()
    await user.page.waitForURL((url) => url.hash === `#/tasks/${replayed}`)
  })

  test('a callback can be replayed, but not with edited input, and has no calls to copy', async () => {
    // No callback can reach this address, so this one ends as FAILURE.
    const { id } = await system.submit('reverse', { text: 'x' }, { callback_url: 'http://localhost:1/' })
    const { callback_id: callbackId } = await system.taskWhen(id, (task) => task.callback_id !== null)
    await system.taskWhenFinal(callbackId ?? '')
    await using user = await openTask(callbackId ?? '')
    await user.untilStatus('FAILURE')
    await user.page.getByRole('button', { name: 'Replay', exact: true }).click()
    const replayed = await untilOtherTask(user, callbackId ?? '')
    await user.untilStatus('FAILURE')
    expect(await system.task(replayed)).toMatchObject({ name: 'callback', replayed_from: callbackId })
    for (const name of ['Replay with edited input', 'Copy as curl', 'Copy as client call'])
      expect(await user.page.getByText(name).count()).toBe(0)
  })

  test('a replay with edited input starts from the original input in the form', async () => {
    const input = {
      guest: 'Ada',
      seats: 2,
      room: 'hall',
      quiet: true,
      courses: ['soup', 'cake'],
      address: { street: 'Long Lane' },
    }
    const { id } = await system.submit('booking', input, { tags: ['kept'] })
    await system.taskWhenFinal(id)
    await using user = await openTask(id)
    await user.page.getByRole('link', { name: 'Replay with edited input' }).click()
    expect(await user.page.getByRole('textbox', { name: 'Item 2' }).inputValue()).toBe('cake')
    await user.fill('Seats', '9')
    await user.press('Submit as a new task')
    await user.untilText('Enter 8 or less.')
    await user.fill('Seats', '7')
    await user.fill('Street', 'Short Lane')
    await user.press('Submit as a new task')
    const replayed = await untilOtherTask(user, id)
    expect(await system.taskWhenFinal(replayed)).toMatchObject({
      replayed_from: id,
      tags: ['kept'],
      input: { ...input, seats: 7, address: { street: 'Short Lane' } },
    })
  })

  test('an input that does not fit the form is edited as JSON', async () => {
    const { id } = await system.submit('fail_first', { times: 0 })
    await system.taskWhenFinal(id)
    const { sql } = await import('../../src/store/drizzle.ts')
    await system.connections.database.query(
      sql`update tasks set input = '["old"]', version = version + 1 where id = ${id}::uuid`,
    )
    await using user = await openTask(id)
    await user.page.getByRole('link', { name: 'Replay with edited input' }).click()
    const editor = user.page.getByRole('textbox', { name: 'Input as JSON' })
    expect(JSON.parse(await editor.inputValue())).toEqual(['old'])
    await editor.fill('{"times": 0}')
    await user.press('Submit as a new task')
    expect(await system.task(await untilOtherTask(user, id))).toMatchObject({ input: { times: 0 } })
  })

  test('a value of 200 KB is shortened at first and can be expanded step by step', async () => {
    const value = {
      long: 'x'.repeat(50_000),
      list: Array.from({ length: 2_000 }, (_, index) => ({
        index,
        text: `item ${index}`,
        note: 'y'.repeat(40),
      })),
      after: 'the end',
    }
    expect(JSON.stringify(value).length).toBeGreaterThan(190_000)
    const { id } = await system.submit('echo', { value })
    await system.taskWhenFinal(id)
    await using user = await openTask(id)
    const input = user.page.getByRole('region', { name: 'Input' }).last()
    const size = async () => (await input.innerText()).length
    expect(await size()).toBeLessThan(5_000)
    const branch = input.getByRole('button', { name: /^value/ })
    expect(await branch.getAttribute('aria-expanded')).toBe('false')
    // Expand the branch with the keyboard.
    await branch.focus()
    await user.page.keyboard.press('Enter')
    await input.getByRole('button', { name: /^list.* 2,000 items/ }).click()
    await input.getByText('Show more of 50,000 characters').waitFor()
    expect(await size()).toBeLessThan(10_000)
    await user.press('Show 100 more of 2000')
    expect(await input.getByRole('button', { name: /^{ … } 3 members$/ }).count()).toBe(200)
    expect(await user.page.evaluate('document.documentElement.scrollWidth')).toBe(1280)
  })

  test('a number of twenty digits is shown with all digits', async () => {
    const { id } = await system.submit('large_integer', {})
    await system.taskWhenFinal(id)
    await using user = await openTask(id)
    const result = user.page.getByRole('region', { name: 'Result' }).last()
    await result.getByText('12345678901234567890', { exact: true }).waitFor()
  })

  describe('copied calls', () => {
    const folder = mkdtempSync(join(tmpdir(), 'waggle-curl-'))
    afterAll(() => rmSync(folder, { recursive: true }))
    const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] }
    const TRICKY = `it's "quoted" $HOME \`ls\` \\ !! \n two lines, ü 😀 %s ' end`

    async function copied(user: PageUser, button: string): Promise<string> {
      await user.page.evaluate('navigator.clipboard.writeText("")')
      await user.press(button)
      const read = () => user.page.evaluate<string>('navigator.clipboard.readText()')
      await expect.poll(read).not.toBe('')
      return read()
    }

    test.each([
      ['quotes, lines and other alphabets', TRICKY],
      ['more than the maximum length of an argument', `${TRICKY}${'z'.repeat(150_000)}`],
    ])('the curl command submits the same task: %s', async (_what, value) => {
      const { id } = await system.submit('echo', { value }, { tags: ["o'clock"], max_retries: 7 })
      await system.taskWhenFinal(id)
      await using user = await openTask(id, clipboard)
      const command = await copied(user, 'Copy as curl')
      const script = join(folder, `${id}.sh`)
      writeFileSync(script, command.replace('curl', 'curl -s -w "\\n%{http_code}"'))
      const { stdout } = await promisify(execFile)('sh', [script], { maxBuffer: 1e7 })
      const [body = '', status] = stdout.split(/\n(?=\d{3}$)/)
      expect(status).toBe('202')
      expect(JSON.parse(body)).toMatchObject({
        name: 'echo',
        input: { value },
        tags: ["o'clock"],
        max_retries: 7,
      })
    })

    test('the copied client call contains the name and the input of the task', async () => {
      const { id } = await system.submit('echo', { value: TRICKY })
      await using user = await openTask(id, clipboard)
      const call = await copied(user, 'Copy as client call')
      expect(call).toContain(`const client = createClient({ baseUrl: "${system.url}" })`)
      const [, name, input] = /client\.submit\(("\w+"), ([\s\S]*)\)\nconst done/.exec(call) ?? []
      expect([JSON.parse(name ?? ''), JSON.parse(input ?? '')]).toEqual(['echo', { value: TRICKY }])
    })
  })

  test('the page links to tasks with the same definition, queue, tag and worker', async () => {
    const { id } = await system.submit('reverse', { text: 'links' }, { tags: ['nightly'] })
    const { worker_id } = await system.taskWhenFinal(id)
    await using user = await openTask(id)
    const href = (name: string) =>
      user.page.getByRole('link', { name, exact: true }).first().getAttribute('href')
    expect(await href('reverse')).toBe('#/tasks?name=reverse')
    expect(await href('default')).toBe('#/tasks?queue=default')
    expect(await href('nightly')).toBe('#/tasks?tag=nightly')
    expect(await href(worker_id?.slice(0, 8) ?? '')).toBe(`#/tasks?worker=${worker_id}`)
  })

  test('the task next to the form links to its page', async () => {
    await using user = await openPage(browser, system.url)
    await user.pick('Reverse a text')
    await user.fill('Text', 'panel')
    await user.submit()
    await user.untilStatus('SUCCESS')
    const id = user.shownId()
    await user.page.getByRole('link', { name: 'Open' }).click()
    await user.page.getByRole('heading', { name: 'Attempts and log' }).waitFor()
    expect(idOf(user)).toBe(id)
  })

  test('a task that does not exist is shown as not found', async () => {
    await using user = await openPage(browser, system.url)
    await user.page.goto(`${system.url}/#/tasks/01890a5d-ac96-774b-bcce-b302099a8057`)
    await user.untilText('Task not found')
    await user.press('To the list')
    await user.page.waitForURL((url) => url.hash === '#/tasks')
  })

  test.each([360, 768, 2560])('a page with long words fits a screen of %i pixels', async (width) => {
    const value = { W: 'W'.repeat(400), nested: { list: [{ ['n'.repeat(80)]: 1 }] } }
    const { id } = await system.submit('echo', { value }, { tags: ['t'.repeat(64)] })
    await system.taskWhenFinal(id)
    await using user = await openTask(id, { viewport: { width, height: 800 } })
    await user.untilStatus('SUCCESS')
    expect(await user.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
  })
})

describe.skipIf(!chromium)('with a key that has only the scope "read"', () => {
  test('the page shows the task and its log, and its buttons are disabled', async () => {
    const keys = createTestKeys({ all: ['submit', 'read', 'operate'], reader: ['read'] })
    const system = await startSystem({ webRoot: WEB_ROOT, apiKeys: keys.apiKeys, definitions: [failFirst] })
    const browser = await launchBrowser(chromium ?? '')
    const submission = { input: { times: 1 }, options: { max_retries: 0 } }
    const { body } = await system.request('POST', '/v1/tasks/fail_first', submission, keys.headers('all'))
    const { id } = body as { id: string }
    await using user = await openPage(browser, system.url)
    await user.page.getByLabel('API key').fill(keys.key('reader'))
    await user.page.keyboard.press('Enter')
    await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
    await user.page.goto(`${system.url}/#/tasks/${id}`)
    await user.untilStatus('FAILURE')
    await user.untilText('Attempt 1 begins')
    await user.untilText('it lacks the scope “operate”')
    for (const name of ['Retry task', 'Replay']) {
      const button = user.page.getByRole('button', { name, exact: true })
      expect(await button.getAttribute('aria-disabled')).toBe('true')
    }
    await browser.close()
    await system.stop()
  })
})
