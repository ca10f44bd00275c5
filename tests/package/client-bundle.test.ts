// `waggle-tasks/client` in a bundle for browsers.
import { join } from 'node:path'
import { build, type Rolldown } from 'vite'
import { expect, inject, test } from 'vitest'

// Minified and not compressed.
const MAX_BYTES = 25_000

test('the client is small in a bundle for browsers and contains nothing of the server', async () => {
  const root = inject('projectFolder')
  const output = (await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: true,
      rolldownOptions: { input: join(root, 'browser.ts') },
      modulePreload: { polyfill: false },
    },
  })) as Rolldown.RolldownOutput
  const chunks = output.output.filter((file) => file.type === 'chunk')
  expect(chunks).toHaveLength(1)
  const [chunk] = chunks
  const modules = Object.keys(chunk?.modules ?? {}).map((path) => path.replace(/^.*\/node_modules\//, ''))
  const isExpected = (path: string) =>
    /^(waggle-tasks\/lib\/client\/|hono\/dist\/)/.test(path) || path === join(root, 'browser.ts')
  expect(modules.filter((path) => !isExpected(path))).toEqual([])
  expect(modules).toContain('waggle-tasks/lib/client/client.js')
  expect(chunk?.imports).toEqual([])
  expect(chunk?.code).not.toMatch(/node:|process\.env/)
  expect(chunk?.code.length).toBeLessThan(MAX_BYTES)
})
