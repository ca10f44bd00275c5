// Makes the pictures in this folder: `npm run screenshots`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
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

const chromium = findChromium()
if (!chromium) throw new Error('No Chromium is installed: the pictures need one (or CHROMIUM_PATH)')
const system = await startDevelopmentSystem()
const browser = await launchBrowser(chromium)
const failed = await giveItSomethingToDo(system.url)
for (const size of ['wide', 'narrow'] as const) {
  for (const colorScheme of ['light', 'dark'] as const) {
    const options = { viewport: VIEWPORTS[size], colorScheme, reducedMotion: 'reduce' } as const
    for (const [name, hash] of Object.entries(viewsOf(failed))) {
      await using view = await openView(browser, system.url, hash, options)
      await takePicture(view.page, name, size, colorScheme)
    }
    await using user = await openPage(browser, system.url, options)
    await user.pick('Divide two numbers')
    await user.press('Use the example')
    await user.submit()
    await user.page
      .locator('[role=progressbar]:is([aria-valuenow="40"], [aria-valuenow="50"], [aria-valuenow="60"])')
      .waitFor()
    await takePicture(user.page, 'mid-task', size, colorScheme)
    await user.untilStatus('SUCCESS')
    await takePicture(user.page, 'at-the-end', size, colorScheme)
  }
}
await browser.close()
await system.stop()

/** What there is to see: the hash of every view. */
function viewsOf(failed: string) {
  return {
    overview: '#/',
    tasks: '#/tasks',
    'failed-tasks': '#/tasks?status=FAILURE,RETRY',
    task: `#/tasks/${failed}`,
    run: '#/run/email',
    workers: '#/workers',
  }
}

/**
 * A minute of an ordinary day: tasks of every kind, some of which fail, and some that wait.
 * @returns the id of one that failed, with a history
 */
async function giveItSomethingToDo(url: string): Promise<string> {
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

async function takePicture(
  page: Page,
  name: string,
  size: keyof typeof VIEWPORTS,
  colorScheme: 'light' | 'dark',
) {
  await page.locator('.skeleton').first().waitFor({ state: 'detached' })
  // Charts are drawn a moment after their numbers have come; a task under way is shown as it is.
  if (name !== 'mid-task') await pause(1_500)
  // A phone shows what its owner sees first; the wide screen all there is.
  const path = join(FOLDER, `${name}-${size}-${colorScheme}.png`)
  await page.screenshot({ path, fullPage: size === 'wide' })
  process.stdout.write(`${path}\n`)
}

/** `npm start` without the build, with a folder and a port of its own. */
async function startDevelopmentSystem() {
  const dataDir = mkdtempSync(join(tmpdir(), 'waggle-screenshots-'))
  const child = spawn(process.execPath, ['src/main.ts', 'dev'], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
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
