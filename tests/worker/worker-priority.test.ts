// A worker gives way to what else runs on its machine. Each is a process of its own: what is given away does not come back.
import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const MODULE = fileURLToPath(new URL('../../src/worker/worker-priority.ts', import.meta.url))
const CODE = `
import { existsSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { lowerPriority } from ${JSON.stringify(MODULE)}
lowerPriority(Number(process.argv[1]))
const ofSession = existsSync('/proc/self/autogroup') ? readFileSync('/proc/self/autogroup', 'utf8') : ''
console.log(JSON.stringify({ process: getPriority(), session: Number(/nice (-?\\d+)/.exec(ofSession)?.[1]) }))
`

/** @param shell the words before and after the program, in which it is "$@" */
async function priorities(nice: number, shell: string, options: SpawnOptions = {}) {
  const program = [process.execPath, '--input-type=module', '-e', CODE, String(nice)]
  const child = spawn('sh', ['-c', shell, 'sh', ...program], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = child.stdout ? await text(child.stdout) : ''
  if (child.exitCode === null) await once(child, 'exit')
  return JSON.parse(output)
}

const SERVICE = { detached: true }

test('0 gives nothing away', async () => {
  expect(await priorities(0, 'exec "$@"', SERVICE)).toMatchObject({ process: 0 })
})

test('the process gives way, and one that gives way more already stays as it is', async () => {
  expect(await priorities(10, 'exec "$@"')).toMatchObject({ process: 10 })
  expect(await priorities(10, 'exec nice -n 15 "$@"')).toMatchObject({ process: 15 })
})

describe.skipIf(!existsSync('/proc/self/autogroup'))('where processors are shared out by session', () => {
  test('a session of its own gives way', async () => {
    expect(await priorities(0, '"$@"; true', SERVICE)).toEqual({ process: 0, session: 0 })
    expect(await priorities(10, '"$@"; true', SERVICE)).toEqual({ process: 10, session: 10 })
  })

  test('one that others share does not', async () => {
    const besideAnother = 'sleep 60 >/dev/null & "$@"; kill $!'
    expect(await priorities(10, besideAnother, SERVICE)).toEqual({ process: 10, session: 0 })
  })
})
