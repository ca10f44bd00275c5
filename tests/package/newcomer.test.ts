// The way of a newcomer, in an empty folder with nothing but the packed package: create a project, install, run,
// edit, submit a task in every way, add a task, and test it. Prints how long each step takes.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { killScripts, type NpmProcess, startNpm } from '../support/npm-process.ts'

const run = promisify(execFile)

let empty: string
let project: string
let dev: NpmProcess
let url = ''
beforeAll(() => {
  empty = mkdtempSync(join(tmpdir(), 'waggle-newcomer-'))
  project = join(empty, 'my-tasks')
})
afterAll(() => {
  killScripts()
  rmSync(empty, { recursive: true, force: true })
})

/** A test whose duration is printed. The steps build on each other. */
function step(name: string, body: () => Promise<void>, isSkipped = false) {
  test.skipIf(isSkipped)(name, async () => {
    const startedMs = performance.now()
    await body()
    process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  })
}

function npm(args: string[], folder = project): string {
  return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

step('npx waggle-tasks init my-tasks', async () => {
  const output = npm(
    ['exec', '--yes', '--package', inject('tarball'), '--', 'waggle', 'init', 'my-tasks'],
    empty,
  )
  expect(output).toContain('tasks/hello.ts')
})

step('npm install', async () => {
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund'])
})

step('npm test and npm run types', async () => {
  expect(npm(['test'])).toMatch(/2 passed/)
  npm(['run', 'types'])
})

step('npm run dev', async () => {
  dev = startNpm(['run', 'dev'], {}, { folder: project })
  await dev.ready()
  url = /is ready: (\S+)/.exec(dev.output())?.[1] ?? ''
  expect(url).toMatch(/^http:/)
})

step('curl submits a task', async () => {
  const body = JSON.stringify({ input: { name: 'Ada' } })
  const json = ['-H', 'Content-Type: application/json', '-d', body]
  const { stdout } = await run('curl', ['-sS', '-X', 'POST', `${url}/v1/tasks/hello`, ...json])
  const { id } = JSON.parse(stdout)
  const done = await run('curl', ['-sS', `${url}/v1/tasks/${id}?wait=50`])
  expect(JSON.parse(done.stdout)).toMatchObject({ status: 'SUCCESS', result: { greeting: 'Hello, Ada!' } })
})

step('an edit of tasks/hello.ts is live', async () => {
  for (const name of ['hello.ts', 'hello.test.ts']) {
    const file = join(project, 'tasks', name)
    writeFileSync(file, readFileSync(file, 'utf8').replace('Hello, ', 'Good day, '))
  }
  await expect.poll(() => dev.output(), { timeout: 60_000 }).toContain('Reloaded: tasks/hello.ts')
})

step('npx waggle run submits a task and prints its result', async () => {
  const { stdout } = await run('npx', ['waggle', 'run', 'hello', '{"name": "Bo"}', '--url', url], {
    cwd: project,
  })
  expect(JSON.parse(stdout)).toEqual({ greeting: 'Good day, Bo!' })
})

const CLIENT = `import { createClient } from 'waggle-tasks/client'
import type config from './waggle.config.ts'

export async function greet(url: string): Promise<string> {
  const client = createClient<typeof config>({ baseUrl: url })
  const done = await client.waitFor(await client.submit('hello', { name: 'Cy' }))
  return done.status === 'SUCCESS' ? done.result.greeting : done.status
}
`

step('the typed client runs in Node', async () => {
  writeFileSync(join(project, 'greet.ts'), CLIENT)
  writeFileSync(
    join(project, 'main.ts'),
    `import { greet } from './greet.ts'\nconsole.log(await greet('${url}'))\n`,
  )
  npm(['run', 'types'])
  const { stdout } = await run(join(project, 'node_modules/.bin/node'), ['main.ts'], { cwd: project })
  expect(stdout.trim()).toBe('Good day, Cy!')
})

const chromium = findChromium()

step(
  'the typed client runs in a browser, from a bundle',
  async () => {
    const bundle = await rolldown({ input: join(project, 'greet.ts'), platform: 'browser', cwd: project })
    const { output } = await bundle.generate({ format: 'iife', name: 'bundled' })
    const browser = await launchBrowser(chromium as string)
    await using view = await openView(browser, url, '#/overview')
    await view.page.evaluate(`${output[0].code}; globalThis.greet = bundled.greet`)
    expect(await view.page.evaluate('greet(location.origin)')).toBe('Good day, Cy!')
    await browser.close()
  },
  !chromium,
)

step(
  'the page submits a task',
  async () => {
    const browser = await launchBrowser(chromium as string)
    await using view = await openView(browser, url, '#/run/hello')
    await view.page.getByLabel('Name').fill('Di')
    await view.page.getByRole('button', { name: 'Submit task' }).click()
    await view.page.getByText('Good day, Di!').first().waitFor()
    await browser.close()
  },
  !chromium,
)

step('npx waggle new task adds a task, which is live', async () => {
  await run('npx', ['waggle', 'new', 'task', 'send_invoice'], { cwd: project })
  await expect
    .poll(async () => (await (await fetch(`${url}/v1/definitions`)).text()).includes('send_invoice'), {
      timeout: 60_000,
    })
    .toBe(true)
})

const PDF = `import { PDFDocument } from 'pdf-lib'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const pdf = defineTask({
  name: 'pdf',
  title: 'Write a PDF',
  description: 'Writes a PDF with a title and stores it.',
  input: z.object({ title: z.string() }),
  output: z.object({ path: z.string(), pages: z.number() }),
  example: { title: 'Invoice' },
  isolate: true,
  async run({ title }, { services }) {
    const document = await PDFDocument.create()
    document.addPage().drawText(title)
    const path = await services.files.store(await document.save())
    return { path, pages: document.getPageCount() }
  },
})
`

const PDF_TEST = `import { expect, test } from 'vitest'
import { runTask } from 'waggle-tasks/testing'
import { pdf } from './pdf.ts'

test('the PDF is stored', async () => {
  const stored: Uint8Array[] = []
  const files = { store: async (bytes: Uint8Array) => \`fake/\${stored.push(bytes)}.pdf\` }
  const { result } = await runTask(pdf, { title: 'Invoice' }, { services: { files } })
  expect(result).toEqual({ path: 'fake/1.pdf', pages: 1 })
  expect(new TextDecoder().decode(stored[0]?.slice(0, 5))).toBe('%PDF-')
})
`

const PDF_CONFIG = `import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineConfig, defineServices } from 'waggle-tasks'
import { z } from 'zod'
import { hello } from './tasks/hello.ts'
import { pdf } from './tasks/pdf.ts'
import { sendInvoice } from './tasks/send_invoice.ts'

const services = defineServices({
  settings: z.object({ PDF_FOLDER: z.string() }),
  open: async ({ settings }) => {
    const folder = await mkdtemp(settings.PDF_FOLDER)
    const store = async (bytes: Uint8Array) => {
      const path = join(folder, 'invoice.pdf')
      await writeFile(path, bytes)
      return path
    }
    return { files: { store } }
  },
})

declare module 'waggle-tasks' {
  interface Register {
    services: typeof services
  }
}

export default defineConfig({ tasks: [hello, sendInvoice, pdf], services })
`

step('a task with a library, a setting and a service needs three files', async () => {
  const before = readFileSync(join(project, 'waggle.config.ts'), 'utf8')
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', 'pdf-lib'])
  writeFileSync(join(project, 'tasks/pdf.ts'), PDF)
  writeFileSync(join(project, 'tasks/pdf.test.ts'), PDF_TEST)
  const [, identifier = ''] = /import \{ (\w+) \} from '\.\/tasks\/send_invoice\.ts'/.exec(before) ?? []
  const config = PDF_CONFIG.replaceAll('sendInvoice', identifier)
  writeFileSync(join(project, 'waggle.config.ts'), config)
  npm(['run', 'types'])
  expect(npm(['test'])).toContain('pdf.test.ts')
  await expect.poll(() => dev.output(), { timeout: 60_000 }).toContain('PDF_FOLDER: is required')
})

step('SIGTERM leaves nothing running', async () => {
  process.kill(dev.pid, 'SIGTERM')
  await dev.ended
  await expect.poll(dev.running, { timeout: 30_000 }).toEqual([])
})

step('init --samples: the types of the samples and the tests pass', async () => {
  const samples = join(empty, 'samples')
  const init = ['waggle', 'init', 'samples', '--samples']
  npm(['exec', '--yes', '--prefer-offline', '--package', inject('tarball'), '--', ...init], empty)
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund'], samples)
  npm(['run', 'types'], samples)
  expect(npm(['test'], samples)).toMatch(/passed/)
})

step('the task runs with its setting', async () => {
  const again = startNpm(['run', 'dev'], { PDF_FOLDER: join(empty, 'pdf-') }, { folder: project })
  await again.ready()
  const address = /is ready: (\S+)/.exec(again.output())?.[1] ?? ''
  const { stdout } = await run('npx', ['waggle', 'run', 'pdf', '{"title": "Invoice"}', '--url', address], {
    cwd: project,
  })
  expect(readFileSync(JSON.parse(stdout).path, 'latin1').slice(0, 5)).toBe('%PDF-')
  process.kill(again.pid, 'SIGTERM')
  await again.ended
  await expect.poll(again.running, { timeout: 30_000 }).toEqual([])
})
