// Starts a real Chromium for the tests of the page, if one is installed.
import { spawnSync } from 'node:child_process'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'

// The first is the same browser engine without windows: opening a page takes it a third of the time.
const PROGRAMS = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
]

/** Returns the path of the browser: `CHROMIUM_PATH` or an installed one; undefined if there is none. */
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

/** Opens a view by the hash of its URL, in a new browser context without stored data. */
export async function openView(
  browser: Browser,
  url: string,
  hash: string,
  options?: BrowserContextOptions,
): Promise<OpenedView> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  await page.goto(new URL(hash, url).href)
  return { page, context, [Symbol.asyncDispose]: () => context.close() }
}

/** Operates the page as a person does: finds elements by their visible texts. */
export interface PageUser {
  page: Page
  /** Selects a task definition by its title. */
  pick(title: string): Promise<void>
  fill(label: string, text: string): Promise<void>
  submit(): Promise<void>
  press(button: string): Promise<void>
  /** Waits until the displayed task has this status. */
  untilStatus(status: string): Promise<void>
  /** Waits until this text is visible. */
  untilText(text: string | RegExp): Promise<void>
  /** Returns the id of the displayed task. */
  shownId(): string
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens the form for tasks in a new browser context, and waits for the form or for the field for the API key.
 */
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
