// Makes the pictures in docs/screenshots: `node tests/support/browser-screenshots.ts`, after `npm run build:web`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { findChromium, launchBrowser, openPage } from './browser.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = join(ROOT, 'docs/screenshots')
const VIEWPORTS = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } }

const chromium = findChromium()
if (!chromium) throw new Error('No Chromium is installed: the pictures need one (or CHROMIUM_PATH)')
mkdirSync(FOLDER, { recursive: true })
const system = await startDevelopmentSystem()
const browser = await launchBrowser(chromium)
for (const size of ['wide', 'narrow'] as const) {
  for (const colorScheme of ['light', 'dark'] as const)
    await takePictures(browser, system.url, size, colorScheme)
}
await browser.close()
await system.stop()

/** One person's visit: some tasks that end in different ways, then a division, in its middle and at its end. */
async function takePictures(
  browser: Browser,
  url: string,
  size: keyof typeof VIEWPORTS,
  colorScheme: 'light' | 'dark',
) {
  await using user = await openPage(browser, url, {
    viewport: VIEWPORTS[size],
    colorScheme,
    reducedMotion: 'reduce',
  })
  const { page } = user
  await user.fill('E-mail address', 'ada@example.com')
  await user.submit()
  await user.untilStatus('SUCCESS')
  await user.pick('Send an e-mail')
  await user.press('Use the example')
  await user.fill('Recipient', 'fail@example.com')
  await user.submit()
  await user.untilText('Attempt 2 failed')
  await user.pick('Divide two numbers')
  await user.press('Use the example')
  await user.submit()
  await page
    .locator('[role=progressbar]:is([aria-valuenow="40"], [aria-valuenow="50"], [aria-valuenow="60"])')
    .waitFor()
  await picture('mid-task')
  await user.untilStatus('SUCCESS')
  await picture('at-the-end')

  async function picture(moment: string) {
    // A phone shows what its owner sees after submitting; the wide screen all there is.
    const path = join(FOLDER, `${moment}-${size}-${colorScheme}.png`)
    await page.screenshot({ path, fullPage: size === 'wide' })
    process.stdout.write(`${path}\n`)
  }
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
