// The size of the scripts that a browser loads before the page shows anything.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))
const LIMIT_BYTES = 60 * 1_024

test('the first load has less than 60 KB of compressed JavaScript', () => {
  const page = readFileSync(join(WEB_ROOT, 'index.html'), 'utf8')
  // The entry script and the scripts that index.html preloads. Scripts that a view loads later are not
  // counted.
  const scripts = [...page.matchAll(/(?:src|href)="\.\/([^"]+\.js)"/g)].map(([, path = '']) => path)
  expect(scripts.length).toBeGreaterThan(0)
  const bytes = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(join(WEB_ROOT, path))).length, 0)
  process.stdout.write(`First load: ${(bytes / 1_024).toFixed(1)} KB of JavaScript, compressed\n`)
  expect(bytes).toBeLessThan(LIMIT_BYTES)
})
