// A real Chromium for the tests of the page, where this machine has one.
import { spawnSync } from 'node:child_process'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'

// The first is the same engine without windows: a visit costs it a third.
const PROGRAMS = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
]

/** Path of the browser: `CHROMIUM_PATH`, or the one that is installed; undefined where there is none. */
export function findChromium(): string | undefined {
  const given = process.env.CHROMIUM_PATH
  if (given) return given
  return PROGRAMS.map((program) => spawnSync('which', [program], { encoding: 'utf8' }).stdout?.trim()).find(
    Boolean,
  )
}

export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface OpenedView {
  page: Page
  context: BrowserContext
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens a view, by the hash of its URL, as somebody who was never there before. */
export async function openView(
  browser: Browser,
  url: string,
  hash: string,
  options?: BrowserContextOptions,
): Promise<OpenedView> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  await page.goto(new URL(hash, url).href)
  return { page, context, [Symbol.asyncDispose]: () => context.close() }
}

/** The page as a person uses it: by what can be read on it. */
export interface PageUser {
  page: Page
  /** Chooses a task by its title. */
  pick(title: string): Promise<void>
  fill(label: string, text: string): Promise<void>
  submit(): Promise<void>
  press(button: string): Promise<void>
  /** Waits until the task on show has this status. */
  untilStatus(status: string): Promise<void>
  /** Waits until this text can be read. */
  untilText(text: string | RegExp): Promise<void>
  /** Id of the task on show. */
  shownId(): string
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens the form of the tasks as somebody who was never there before, up to where there is something to do. */
export async function openPage(
  browser: Browser,
  url: string,
  options?: BrowserContextOptions,
): Promise<PageUser> {
  const { page, context } = await openView(browser, url, '#/run', options)
  await page.getByRole('button', { name: 'Submit task' }).or(page.getByLabel('API key')).waitFor()
  return {
    page,
    pick: (title) => page.getByRole('radio', { name: title }).check(),
    fill: (label, text) => page.getByRole('textbox', { name: label }).fill(text),
    submit: () => page.getByRole('button', { name: 'Submit task' }).click(),
    press: (name) => page.getByRole('button', { name }).click(),
    untilStatus: (status) => page.locator(`.card-head [data-status=${status}]`).waitFor(),
    untilText: (text) => page.getByText(text).first().waitFor(),
    shownId: () => /[?&]task=([0-9a-f-]{36})/.exec(new URL(page.url()).hash)?.[1] ?? '',
    [Symbol.asyncDispose]: () => context.close(),
  }
}
