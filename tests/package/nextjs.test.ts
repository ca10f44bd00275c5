// docs/recipes/nextjs.md: its code, built with the real Next.js and the packed package in an empty folder,
// against a running Waggle. The steps build on each other, and print how long they take.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { killScripts, type NpmProcess, startNpm } from '../support/npm-process.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const RECIPE = fileURLToPath(new URL('../../docs/recipes/nextjs', import.meta.url))
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const folder = mkdtempSync(join(tmpdir(), 'waggle-nextjs-'))
let redis: RedisServer
let database: TestDatabase
beforeAll(async () => {
  redis = await startRedisServer()
  database = await createTestDatabase()
})
afterAll(async () => {
  killScripts()
  await redis.stop()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

function step(name: string, body: () => Promise<void>, isSkipped = false) {
  test.skipIf(isSkipped)(name, async () => {
    const startedMs = performance.now()
    await body()
    process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  })
}

const page = readFileSync(`${RECIPE}.md`, 'utf8')
const files = readdirSync(RECIPE, { recursive: true, encoding: 'utf8' }).filter((path) =>
  /\.tsx?$/.test(path),
)

test.each(files)('nextjs.md contains %s', (path) => {
  const language = path.endsWith('x') ? 'tsx' : 'ts'
  const code = readFileSync(join(RECIPE, path), 'utf8')
  expect(page).toContain(`\`\`\`${language}\n// ${path}\n${code}\`\`\``)
})

let next: NpmProcess
let url: string
let waggleUrl: string
let apiKey: string

step('npm install', async () => {
  const [, packages = ''] = /^npm install (next .*)$/m.exec(page) ?? []
  const [, developed = ''] = /^npm install -D (.*)$/m.exec(page) ?? []
  const [, settings = ''] = /```json\n\/\/ tsconfig.json\n(.*?)```/s.exec(page) ?? []
  cpSync(RECIPE, folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  writeFileSync(join(folder, 'tsconfig.json'), settings)
  writeFileSync(
    join(folder, 'app/layout.tsx'),
    `import type { ReactNode } from 'react'

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
`,
  )
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', inject('tarball')]
  npm([...install, ...packages.split(' '), ...developed.split(' ')])
})

function npm(args: string[], env: Record<string, string> = {}): string {
  return execFileSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: undefined, NEXT_TELEMETRY_DISABLED: '1', ...env },
  })
}

step('Waggle runs, and requires a key', async () => {
  const created = npm(['exec', '--', 'waggle', 'keys', 'create', '--name', 'web', '--scope', 'submit'])
  apiKey = /wgl_[\w-]+/.exec(created)?.[0] ?? ''
  const entry = /^\s*(?:API_KEYS=)?(web:submit:\w+)/m.exec(created)?.[1] ?? ''
  expect([apiKey, entry]).not.toContain('')
  const settings = {
    API_KEYS: entry,
    WEBHOOK_SECRET,
    HTTP_REQUEST_ALLOW: '127.0.0.0/8',
    REDIS_URL: redis.url,
    ...(database.isServer && { DATABASE_URL: database.url }),
  }
  const waggle = startNpm(['exec', '--', 'waggle', 'dev'], settings, { folder })
  await waggle.ready()
  waggleUrl = /is ready: (\S+)/.exec(waggle.output())?.[1] ?? ''
})

step('next build: the key is not in the code of the browser', async () => {
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const settings = {
    NEXT_TELEMETRY_DISABLED: '1',
    WAGGLE_URL: waggleUrl,
    WAGGLE_API_KEY: apiKey,
    WAGGLE_CALLBACK_URL: `${url}/api/webhooks/waggle`,
    WEBHOOK_SECRET,
  }
  npm(['exec', '--', 'next', 'build'], settings)
  const bundled = readdirSync(join(folder, '.next/static'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => readFileSync(join(folder, '.next/static', path), 'utf8'))
    .join('\n')
  expect(bundled).toContain('/api/reports')
  for (const secret of [apiKey, WEBHOOK_SECRET, 'WAGGLE_API_KEY', waggleUrl])
    expect(bundled).not.toContain(secret)
  next = startNpm(['exec', '--', 'next', 'start', '-H', '127.0.0.1', '-p', `${port}`], settings, { folder })
  await until(
    () => fetch(`${url}/reports`).catch(() => undefined),
    (response) => response?.status === 200,
  )
})

interface Report {
  status: string
  is_final: boolean
  progress: { fraction: number; message: string | null }
  result: unknown
}

const submit = (pages: number) =>
  fetch(`${url}/api/reports`, { method: 'POST', body: JSON.stringify({ pages }) })
const read = async (id: string, token: string) => {
  const response = await fetch(`${url}/api/reports/${id}?token=${encodeURIComponent(token)}`)
  return { status: response.status, body: (await response.json()) as Report }
}

step('a report by HTTP: submitted, followed, and reported by a signed callback', async () => {
  const response = await submit(3)
  expect(response.status).toBe(202)
  const { id, poll_token } = (await response.json()) as { id: string; poll_token: string }
  const fractions = new Set<number>()
  const { body } = await until(
    () => read(id, poll_token),
    ({ body: { progress, is_final } }) => {
      fractions.add(progress.fraction)
      return is_final
    },
  )
  expect(body).toMatchObject({ status: 'SUCCESS', result: { text: 'A report of 3 pages' } })
  expect([...fractions].some((fraction) => fraction > 0 && fraction < 1)).toBe(true)
  await until(
    async () => next.output(),
    (output) => output.includes(`task.success ${id} A report of 3 pages`),
  )
})

step('what is refused: another input, another task, and a forged event', async () => {
  const invalid = await submit(0)
  expect(invalid.status).toBe(422)
  expect(await invalid.json()).toMatchObject({ errors: [{ pointer: '#/input/pages' }] })
  const submitted = await Promise.all([submit(1), submit(1)])
  const [one, other] = (await Promise.all(submitted.map((each) => each.json()))) as {
    id: string
    poll_token: string
  }[]
  expect((await read(one?.id ?? '', other?.poll_token ?? '')).status).toBe(404)
  expect((await read(one?.id ?? '', '')).status).toBe(404)

  const event = JSON.stringify({ type: 'task.success', data: { id: 'forged', result: null } })
  const post = (secret: string) => {
    const at = new Date()
    const signature = new Webhook(secret).sign('msg_1', at, event)
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': `${Math.floor(at.getTime() / 1_000)}`,
      'webhook-signature': signature,
    }
    return fetch(`${url}/api/webhooks/waggle`, { method: 'POST', headers, body: event })
  }
  expect((await post(`whsec_${Buffer.alloc(32, 2).toString('base64')}`)).status).toBe(401)
  const unsigned = await fetch(`${url}/api/webhooks/waggle`, { method: 'POST', body: event })
  expect(unsigned.status).toBe(401)
  expect(next.output()).not.toContain('forged')
  expect((await post(WEBHOOK_SECRET)).status).toBe(204)
})

const chromium = findChromium()

step(
  'a person sees the progress and the result',
  async () => {
    await using browser = await launchBrowser(chromium as string)
    await using view = await openView(browser, url, '/reports')
    await view.page.getByRole('button', { name: 'Make a report' }).click()
    const status = view.page.getByRole('status')
    await status.getByText(/page [12] of 3/).waitFor()
    await status.getByText('A report of 3 pages').waitFor()
    await view.page.getByLabel('Pages').fill('0')
    await view.page.getByRole('button', { name: 'Make a report' }).click()
    await view.page.getByRole('alert').filter({ hasText: /./ }).first().waitFor()
  },
  chromium === undefined,
)
