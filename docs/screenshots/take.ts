// Takes the screenshots in this folder: `npm run screenshots`, or some of them: `npm run screenshots -- schedules keys`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { pause } from '../../src/base/loop.ts'
import { createClient } from '../../src/client/client.ts'
import { findChromium, launchBrowser, openPage, openView } from '../../tests/support/browser.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = import.meta.dirname
const VIEWPORTS = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } }

const chosen = process.argv.slice(2)
const isChosen = (name: string) => chosen.length === 0 || chosen.includes(name)
const chromium = findChromium()
if (!chromium) throw new Error('Chromium was not found: install it, or set CHROMIUM_PATH')
const system = await startDevelopmentSystem()
const browser = await launchBrowser(chromium)
const stuck = await startStuckService()
await createSchedules(system.url)
const failedId = await submitSampleTasks(system.url)
await submitLimitedTasks(system.url, stuck.url)
for (const size of ['wide', 'narrow'] as const) {
  for (const colorScheme of ['light', 'dark'] as const) {
    const options = { viewport: VIEWPORTS[size], colorScheme, reducedMotion: 'reduce' } as const
    for (const [name, hash] of Object.entries(viewsOf(failedId))) {
      if (!isChosen(name)) continue
      await using view = await openView(browser, system.url, hash, options)
      await takeScreenshot(view.page, name, size, colorScheme)
    }
    if (!isChosen('mid-task') && !isChosen('at-the-end')) continue
    await using user = await openPage(browser, system.url, options)
    await user.pick('Divide two numbers')
    await user.press('Use the example')
    await user.submit()
    await user.page
      .locator('[role=progressbar]:is([aria-valuenow="40"], [aria-valuenow="50"], [aria-valuenow="60"])')
      .waitFor()
    await takeScreenshot(user.page, 'mid-task', size, colorScheme)
    await user.untilStatus('SUCCESS')
    await takeScreenshot(user.page, 'at-the-end', size, colorScheme)
  }
}
await browser.close()
await system.stop()
stuck.close()

/** The URL hash of every view. */
function viewsOf(failedId: string) {
  return {
    overview: '#/',
    tasks: '#/tasks',
    'failed-tasks': '#/tasks?status=FAILURE,RETRY',
    task: `#/tasks/${failedId}`,
    run: '#/run/email',
    schedules: '#/schedules',
    workers: '#/workers',
    keys: '#/keys',
  }
}

/**
 * Submits tasks of several definitions for half a minute. Some of them fail, and three wait for their time.
 * @returns the id of a failed task with two attempts
 */
async function submitSampleTasks(url: string): Promise<string> {
  const api = createClient({ baseUrl: url })
  const words = ['great', 'awful', 'good', 'nothing much', 'wonderful', 'sad']
  let failing = ''
  for (let round = 0; round < 30; round++) {
    const text = `${words[round % words.length]} weather ${round}`
    await api.submit('sentiment', { text }, { options: { tags: ['weather'] } })
    await api.submit('reverse', { text })
    await api.submit('notify', { email: `reader-${round}@example.com` })
    if (round % 6 === 0) {
      const recipient = round === 6 ? 'fail@example.com' : `ada-${round}@example.com`
      const mail = { recipient, subject: 'News', body: 'All is well.' }
      const { id } = await api.submit('email', mail, { options: { max_retries: 1, tags: ['newsletter'] } })
      if (round === 6) failing = id
    }
    if (round % 10 === 0) await api.submit('divide', { x: round, y: round % 20 === 0 ? 0 : 4 })
    await pause(1_000)
  }
  await api.waitFor(failing)
  for (const hours of [1, 2, 3])
    await api.submit('notify', { email: 'ada@example.com' }, { options: { delay_seconds: hours * 3_600 } })
  return failing
}

/** Creates schedules: some with a tick every few seconds, one of which fails, and one that is paused. */
async function createSchedules(url: string) {
  const { schedules } = createClient({ baseUrl: url })
  const berlin = { time_zone: 'Europe/Berlin' }
  const mail = { recipient: 'ada@example.com', subject: 'News', body: 'All is well.' }
  await schedules.put('mood', { definition: 'sentiment', input: { text: 'great weather' }, every_seconds: 2 })
  await schedules.put('ratio', { definition: 'divide', input: { x: 1, y: 0 }, every_seconds: 5 })
  await schedules.put('newsletter', { definition: 'email', input: mail, cron: '0 9 * * MON', ...berlin })
  await schedules.pause('newsletter')
  const reader = { email: 'ada@example.com' }
  await schedules.put('nightly', { definition: 'notify', input: reader, cron: '30 2 * * *', ...berlin })
  await schedules.run('nightly')
}

/** Submits tasks with limits. One of each customer runs until the end, and the others wait. */
async function submitLimitedTasks(url: string, service: string) {
  const api = createClient({ baseUrl: url })
  for (const [customer, count] of Object.entries({ 'c-ada': 12, 'c-bob': 5, 'c-eve': 2, 'c-kim': 1 }))
    for (let version = 1; version <= count; version++)
      await api.submit('sync_customer', { customer, version, url: service })
}

/** Starts a service that does not respond. */
async function startStuckService() {
  const server = createServer(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function takeScreenshot(
  page: Page,
  name: string,
  size: keyof typeof VIEWPORTS,
  colorScheme: 'light' | 'dark',
) {
  await page.locator('.skeleton').first().waitFor({ state: 'detached' })
  // Charts are drawn shortly after their data has arrived. A running task must be captured immediately.
  if (name !== 'mid-task') await pause(1_500)
  // The narrow screenshots show the first screen only, the wide ones the full page.
  const path = join(FOLDER, `${name}-${size}-${colorScheme}.png`)
  await page.screenshot({ path, fullPage: size === 'wide' })
  process.stdout.write(`${path}\n`)
}

/** Starts the development system without a build, with its own data folder and a free port. */
async function startDevelopmentSystem() {
  const dataDir = mkdtempSync(join(tmpdir(), 'waggle-screenshots-'))
  const child = spawn(
    process.execPath,
    ['src/main.ts', 'dev', '--config', join(FOLDER, 'waggle.config.ts')],
    {
      cwd: ROOT,
      env: { ...process.env, PORT: '0', DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const url = await readUrl(child.stdout)
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function readUrl(output: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of output) {
    text += chunk
    const url = /ready: (\S+)/.exec(text)?.[1]
    if (url) return url
  }
  throw new Error(`The system did not start: ${text}`)
}
