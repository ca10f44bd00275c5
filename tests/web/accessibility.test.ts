// Checks every view in a real browser with axe-core: names, roles, contrast, landmarks, keyboard.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const CONTRAST = ['color-contrast', 'link-in-text-block']
const NARROW = { width: 360, height: 740 }
const chromium = findChromium()

describe.skipIf(!chromium)('axe-core finds no violations', () => {
  let system: TestSystem
  let browser: Browser
  const ids: Record<string, string> = {}
  beforeAll(async () => {
    const definitions = createTestDefinitions()
    const starting = startSystem({ webRoot: WEB_ROOT, definitions })
    browser = await launchBrowser(chromium ?? '')
    system = await starting
    const done = await system.submit('reverse', { text: 'ab' }, { tags: ['letters'] })
    const failed = await system.submit('divide', { x: 1, y: 0 })
    const running = await system.submit('hold', {})
    const waiting = await system.submit('reverse', { text: 'ab' }, { queue: 'unserved' })
    const cancelled = await system.submit('reverse', { text: 'ab' }, { delay_seconds: 60 })
    await system.request('POST', `/v1/tasks/${cancelled.id}/cancel`)
    await system.request('POST', '/v1/queues/idle/pause')
    await system.submit('reverse', { text: 'ab' }, { queue: 'unserved', priority: 'high' })
    await system.request('PUT', '/v1/schedules/nightly', {
      definition: 'reverse',
      input: { text: 'ab' },
      cron: '30 2 * * *',
      time_zone: 'Asia/Kolkata',
    })
    await system.request('POST', '/v1/schedules/nightly/run')
    await Promise.all([done, failed].map(({ id }) => system.taskWhenFinal(id)))
    Object.assign(ids, { done: done.id, failed: failed.id, running: running.id, waiting: waiting.id })
  })
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
  })

  const views: Record<string, () => string> = {
    'the overview': () => '#/',
    'the list of tasks': () => '#/tasks',
    'a filtered list': () => '#/tasks?status=FAILURE&name=divide',
    'an empty filtered list': () => '#/tasks?name=nothing',
    'a successful task': () => `#/tasks/${ids.done}`,
    'a failed task': () => `#/tasks/${ids.failed}`,
    'a running task': () => `#/tasks/${ids.running}`,
    'a task that does not exist': () => '#/tasks/01890a5d-ac96-774b-bcce-b302099a8057',
    'a form': () => '#/run/email',
    'a form with a task next to it': () => `#/run/divide?task=${ids.failed}`,
    'a form with many kinds of fields': () => '#/run/http_request',
    'workers and queues': () => '#/workers',
    'the schedules': () => '#/schedules',
    'a schedule': () => '#/schedules/nightly',
    'a new schedule': () => '#/new-schedule',
    'the keys of limits': () => '#/keys',
    'keys of limits without a match': () => '#/keys?search=nothing',
  }

  const dialogs: Record<string, { hash: string; button: string }> = {
    'the deletion of a schedule': { hash: '#/schedules/nightly', button: 'Delete the schedule nightly' },
    'the limits of a queue': { hash: '#/workers', button: 'Change the limits of the queue unserved' },
  }

  test.each(Object.entries(views))('in %s', async (_name, hashOf) => {
    await using view = await openView(browser, system.url, hashOf(), { reducedMotion: 'reduce' })
    await untilLoaded(view.page)
    await expectNoViolations(view.page)
  })

  test.each(Object.entries(dialogs))('in the dialog with %s', async (_name, { hash, button }) => {
    await using view = await openView(browser, system.url, hash, { reducedMotion: 'reduce' })
    await untilLoaded(view.page)
    await view.page.getByRole('button', { name: button }).click()
    await view.page.getByRole('dialog').waitFor()
    await expectNoViolations(view.page)
  })

  async function expectNoViolations(page: Page) {
    expect(await violationsIn(page, RULES), 'wide, light').toEqual([])
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    // The colour scheme changes only contrasts, so the other rules are not checked again.
    expect(await violationsIn(page, CONTRAST), 'wide, dark').toEqual([])
    await page.setViewportSize(NARROW)
    expect(await violationsIn(page, RULES), 'narrow, dark').toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(NARROW.width)
  }
})

/** Waits until the data of the view is loaded and rendered. */
async function untilLoaded(page: Page) {
  await page.locator('main h1').first().waitFor({ state: 'attached' })
  await expect.poll(() => page.locator('.skeleton').count()).toBe(0)
}

async function violationsIn(page: Page, rules: string[]): Promise<string[]> {
  // A script element would be blocked by the Content-Security-Policy of the page.
  await page.evaluate(AXE)
  const { violations } = (await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(rules)} })`)) as AxeResults
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  )
}
