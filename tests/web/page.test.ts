// The page in a real browser: submitting tasks, following them, the list of submitted tasks, and outages.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser, openPage, type PageUser } from '../support/browser.ts'
import { booking, createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const chromium = findChromium()
if (!chromium) process.stdout.write('No Chromium is installed: the tests of the page are skipped\n')

beforeAll(async () => {
  // `npm test` builds the page before the tests; a run of this file alone may have to.
  if (existsSync(join(WEB_ROOT, 'index.html'))) return
  const { build } = await import('vite')
  await build({ root: join(WEB_ROOT, '../..'), logLevel: 'warn' })
})

test('the built page contains no address of a host', () => {
  const files = readdirSync(WEB_ROOT, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.includes('.'),
  )
  const text = files.map((file) => readFileSync(join(WEB_ROOT, file), 'utf8')).join('\n')
  expect(files.some((file) => file.endsWith('.js'))).toBe(true)
  // Names of XML namespaces look like addresses, but browsers do not load them.
  expect(text.match(/https?:\/\/(?!www\.w3\.org\/)[^\s"'`]*|localhost|127\.0\.0\.1/g)).toBeNull()
})

describe.skipIf(!chromium)('the page', () => {
  const gate = createGatedTask()
  let system: TestSystem
  let browser: Browser

  beforeAll(async () => {
    const definitions = [gate.definition, booking]
    const starting = startSystem({ webRoot: WEB_ROOT, definitions })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const open = (options?: Parameters<typeof openPage>[2]) => openPage(browser, system.url, options)

  async function submitGated(user: PageUser, name: string) {
    await user.pick('Wait at a gate')
    await user.fill('Gate', name)
    await user.submit()
    await user.untilStatus('STARTED')
  }

  /** Delays animation frames, as on a busy machine: work that waits for the next frame is late. */
  async function delayFrames(user: PageUser, ms: number) {
    await user.page.evaluate(`
      const nextFrame = window.requestAnimationFrame.bind(window)
      window.requestAnimationFrame = (draw) => setTimeout(() => nextFrame(draw), ${ms})
    `)
  }

  /** Leaves the displayed task, and checks that it does not appear again. */
  async function leaveTask(user: PageUser) {
    await user.page.goto(`${system.url}/#/run`)
    await user.untilText('No task selected')
    // The seconds of a shown task are updated four times a second. An update after its removal would render
    // the task again.
    await user.page.waitForTimeout(2_000)
    expect(await user.page.locator('.card-head').count()).toBe(0)
  }

  describe.concurrent('while the API is available', () => {
    test('a task that was left before its first frame does not appear again', async () => {
      await using user = await open()
      await delayFrames(user, 1_000)
      await submitGated(user, 'left before it was drawn')
      await leaveTask(user)
      gate.open('left before it was drawn')
    })

    test('a task that ended before its first frame does not appear again', async () => {
      await using user = await open()
      await delayFrames(user, 1_000)
      await submitGated(user, 'ended before it was drawn')
      gate.open('ended before it was drawn')
      await user.untilStatus('SUCCESS')
      await user.page.waitForTimeout(1_200)
      await leaveTask(user)
    })

    test('typing an e-mail address and pressing Enter sends a notification', async () => {
      await using user = await open()
      await user.page.keyboard.type('ada@example.com')
      await user.page.keyboard.press('Enter')
      await user.untilStatus('SUCCESS')
      await user.untilText('Notification sent to ada@example.com')
      expect(await system.task(user.shownId())).toMatchObject({
        name: 'notify',
        input: { email: 'ada@example.com' },
      })
    })

    test('the progress bar moves while a task runs', async () => {
      await using user = await open()
      await submitGated(user, 'progress')
      const bar = user.page.getByRole('progressbar')
      await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('25')
      gate.report('progress', 0.75, 'Nearly through')
      await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('75')
      await user.untilText('Nearly through')
      gate.open('progress')
      await user.untilStatus('SUCCESS')
    })

    test('the quotient of a division is shown', async () => {
      await using user = await open()
      await user.pick('Divide two numbers')
      await user.press('Use the example')
      await user.submit()
      await user.untilStatus('SUCCESS')
      expect(await user.page.getByRole('region', { name: 'Result' }).textContent()).toContain('2.5')
    })

    test('an invalid e-mail address is reported at its field, and no request is sent', async () => {
      await using user = await open()
      const field = user.page.getByLabel('E-mail address')
      await field.fill('ada@nowhere')
      await user.page.keyboard.press('Enter')
      expect(await field.getAttribute('aria-invalid')).toBe('true')
      const described = (await field.getAttribute('aria-describedby'))?.split(' ').at(-1)
      expect(await user.page.locator(`[id="${described}"]`).textContent()).toContain(
        'Enter an e-mail address',
      )
      expect(new URL(user.page.url()).hash).toBe('#/run')
      await field.fill('ada@example.com')
      expect(await field.getAttribute('aria-invalid')).toBeNull()
    })

    test('an error that only the API finds is reported at its field too', async () => {
      await using user = await open()
      await user.pick('Book a table')
      await user.press('Use the example')
      await user.fill('Guest', 'Nobody')
      await user.submit()
      await user.untilText('This guest is unknown')
      const field = user.page.getByLabel('Guest')
      expect(await field.getAttribute('aria-invalid')).toBe('true')
      expect(await user.page.evaluate('document.activeElement.id')).toBe(await field.getAttribute('id'))
    })

    test('every kind of field is derived from the schema and validated', async () => {
      await using user = await open()
      await user.pick('Book a table')
      await user.submit()
      expect(await user.page.locator('.field-fault').allTextContents()).toEqual([
        'Guest is required.',
        'Seats is required.',
        'Room is required.',
      ])
      await user.fill('Guest', 'A')
      await user.fill('Seats', '2.5')
      await user.fill('Tip', '0')
      await user.page.getByLabel('Room').selectOption('hall')
      await user.page.getByLabel('Quiet table').check()
      await user.fill('Notes', 'n'.repeat(41))
      await user.fill('Extra', '["soup"')
      await user.submit()
      expect(await user.page.locator('.field-fault').allTextContents()).toEqual([
        'Enter at least 2 characters.',
        'Enter a whole number, such as 2.',
        'Enter more than 0.',
        'Enter at most 40 characters; these are 41.',
        "Line 1, column 8: Array item or end of array ']' expected but reached end of input.",
      ])
      await user.fill('Guest', 'Ada')
      await user.fill('Seats', '3')
      await user.fill('Tip', '')
      await user.fill('Notes', 'By the window,\nplease')
      await user.fill('Extra', '["soup"]')
      await user.submit()
      await user.untilStatus('SUCCESS')
      expect((await system.task(user.shownId())).input).toEqual({
        guest: 'Ada',
        seats: 3,
        room: 'hall',
        quiet: true,
        notes: 'By the window,\nplease',
        courses: [],
        extra: ['soup'],
      })
    })

    test('a division by zero shows its error and can be retried', async () => {
      await using user = await open()
      await user.pick('Divide two numbers')
      await user.fill('Dividend', '1')
      await user.fill('Divisor', '0')
      await user.submit()
      await user.untilStatus('FAILURE')
      await user.untilText('y must not be 0')
      await user.press('Retry task')
      await user.untilText('Attempt 2 failed')
      await user.untilStatus('FAILURE')
    })

    test('a refused e-mail shows RETRY, the failed attempts, and when the next one is due', async () => {
      await using user = await open()
      await user.pick('Send an e-mail')
      await user.press('Use the example')
      await user.fill('Recipient', 'fail@example.com')
      await user.submit()
      await user.untilStatus('RETRY')
      await user.untilText(/The next attempt starts in \d+\ss/)
      await user.untilText('Attempt 2 failed')
      await user.untilText('recipient fail@example.com was refused')
      await user.untilText(/^[234] of 4$/)
    })

    test('a running task is cancelled', async () => {
      await using user = await open()
      await submitGated(user, 'cancelled')
      await user.press('Cancel task')
      await user.untilStatus('CANCELLED')
      expect(await system.task(user.shownId())).toMatchObject({ status: 'CANCELLED' })
    })

    test('a hidden tab sends no requests, and sends one immediately when it becomes visible', async () => {
      await using user = await open()
      await submitGated(user, 'hidden')
      // The long poll that is under way is the last request.
      const last = await user.page.waitForRequest(/wait=1$/)
      await user.page.evaluate(setHidden(true))
      await (await last.response())?.finished()
      const requestedUrls: string[] = []
      user.page.on('request', (request) => requestedUrls.push(request.url()))
      gate.open('hidden')
      await system.taskWhenFinal(user.shownId())
      // This takes a second, in which a visible tab sends at least one request.
      await system.taskWhenFinal((await system.submit('notify', { email: 'ada@example.com' })).id)
      expect(requestedUrls).toEqual([])
      await user.page.evaluate(setHidden(false))
      await user.untilStatus('SUCCESS')
    })

    test('the list of submitted tasks is kept after a reload, links to its tasks, and can be cleared', async () => {
      await using user = await open()
      const rows = user.page.locator('.row')
      for (const text of ['first', 'second']) {
        await user.pick('Reverse a text')
        await user.fill('Text', text)
        await user.submit()
        await user.untilText([...text].reverse().join(''))
      }
      const id = user.shownId()
      await user.page.reload()
      await user.untilText('dnoces')
      expect(await rows.count()).toBe(2)
      await rows.last().getByRole('link').click()
      await user.untilText('tsrif')
      await user.page.goBack()
      await user.untilText('dnoces')
      expect(user.shownId()).toBe(id)
      await rows.first().getByRole('button').click()
      await user.untilText('No task selected')
      expect(await rows.count()).toBe(1)
      await user.press('Undo')
      expect(await rows.count()).toBe(2)
      await user.press('Clear the list')
      await user.page.reload()
      await user.untilText('No tasks submitted yet.')
    })

    test('a remembered task that the API does not have is shown as not found and can be removed', async () => {
      await using user = await open()
      const id = '01890a5d-ac96-774b-bcce-b302099a8057'
      const task = { id, name: 'notify', submittedAt: new Date().toISOString(), status: 'STARTED' }
      await user.page.evaluate(
        `localStorage.setItem('waggle.tasks', ${JSON.stringify(JSON.stringify([task]))})`,
      )
      await user.page.reload()
      await user.page.locator('.row [data-status=NOT_FOUND]').waitFor()
      await user.page.locator('.row').getByRole('link').click()
      await user.untilText('Task not found')
      await user.press('Forget this task')
      await user.untilText('No tasks submitted yet.')
    })

    test('a slow double click submits one task', async () => {
      await using user = await open()
      await user.fill('E-mail address', 'ada@example.com')
      await user.page.getByRole('button', { name: 'Submit task' }).dblclick({ delay: 200 })
      await user.untilStatus('SUCCESS')
      expect(await user.page.locator('.row').count()).toBe(1)
    })

    test.each([360, 768, 2560])('every form fits a screen of %i pixels', async (width) => {
      await using user = await open({ viewport: { width, height: 800 } })
      for (const { title, name } of system.registry.submittable) {
        await user.pick(title)
        await user.press('Use the example')
        // A long word cannot be broken at spaces.
        if (name === 'reverse') await user.fill('Text', 'W'.repeat(300))
        expect(await user.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      }
      await user.pick('Reverse a text')
      await user.submit()
      await user.untilStatus('SUCCESS')
      await user.untilText(/^W{300}$/)
      expect(await user.page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    })
  })

  describe('while the API is not available', () => {
    test('an outage is shown, and afterwards waiting submissions and running tasks continue', async () => {
      await using user = await open()
      await submitGated(user, 'outage')
      const banner = user.page.getByText('The API cannot be reached.', { exact: true })
      await system.stopApi()
      await banner.waitFor()
      await user.untilText(/Trying again in \d+ s\./)
      // The shown task stays on the page, and a new submission waits.
      await user.page.getByRole('heading', { name: 'Wait at a gate' }).waitFor()
      await user.pick('Reverse a text')
      await user.fill('Text', 'Waggle')
      await user.submit()
      await user.untilText('Not submitted yet: the API is not available.')
      gate.open('outage')
      await system.startApi()
      await banner.waitFor({ state: 'detached' })
      await user.untilText('elggaW')
      await user.page.locator('.row', { hasText: 'Wait at a gate' }).getByRole('link').click()
      await user.untilStatus('SUCCESS')
    })

    test.each([
      [503, 'unavailable'],
      [504, 'outcome_unknown'],
    ])('a submission that gets a %i %s is sent again automatically', async (status, code) => {
      await using user = await open()
      const type = `urn:waggle:problem:${code}`
      const problem = { type, status, title: 'Unavailable', detail: 'Postgres cannot be reached' }
      await user.page.route(
        '**/v1/tasks/notify',
        (route) =>
          route.fulfill({
            status,
            contentType: 'application/problem+json',
            body: JSON.stringify(problem),
          }),
        { times: 1 },
      )
      await user.fill('E-mail address', 'grace@example.com')
      await user.submit()
      await user.untilText('The API is not ready: Postgres cannot be reached.')
      await user.untilStatus('SUCCESS')
    })

    test('a submission that gets a 429 waits without an outage banner and is sent again automatically', async () => {
      await using user = await open()
      const problem = { status: 429, title: 'Too Many Requests', detail: 'More than 1 requests in 2 s' }
      await user.page.route(
        '**/v1/tasks/notify',
        (route) =>
          route.fulfill({
            status: 429,
            contentType: 'application/problem+json',
            headers: { 'Retry-After': '2' },
            body: JSON.stringify(problem),
          }),
        { times: 1 },
      )
      await user.fill('E-mail address', 'hasty@example.com')
      await user.submit()
      await user.untilText('Not submitted yet: the request limit is reached.')
      // A rate limit is not an outage.
      expect(await user.page.getByText(/^The API (is not ready|cannot be reached)/).count()).toBe(0)
      await user.untilStatus('SUCCESS')
    })

    test('a submission whose response was lost is sent again automatically and creates one task', async () => {
      await using user = await open()
      await user.page.route(
        '**/v1/tasks/notify',
        async (route) => {
          expect((await route.fetch()).status()).toBe(202)
          await route.abort('connectionreset')
        },
        { times: 1 },
      )
      await user.fill('E-mail address', 'lost@example.com')
      await user.submit()
      await user.untilText('Not confirmed: the task may have been submitted.')
      await user.untilStatus('SUCCESS')
      const { body } = await system.request('GET', '/v1/tasks?name=notify&limit=200')
      const { data } = body as { data: { id: string; input: { email: string } }[] }
      const ids = data.filter(({ input }) => input.email === 'lost@example.com').map(({ id }) => id)
      expect(ids).toEqual([user.shownId()])
    })

    test('a submission that got no response can be stopped', async () => {
      await using user = await open()
      await user.page.route('**/v1/tasks/notify', (route) => route.abort('connectionreset'))
      await user.page.route('**/health/ready', (route) => route.abort('connectionreset'))
      await user.fill('E-mail address', 'given-up@example.com')
      await user.submit()
      await user.press('Do not send again')
      await user.page.getByRole('button', { name: 'Submit task' }).waitFor()
      expect(await user.page.getByLabel('E-mail address').inputValue()).toBe('given-up@example.com')
    })
  })
})

/** Script that makes the page behave as in a hidden or a visible tab. */
function setHidden(isHidden: boolean): string {
  return `Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} });
    document.dispatchEvent(new Event('visibilitychange'))`
}
