// Worker priority: nice values of the process and its session. Each test starts a process, because a process
// without privileges cannot raise its priority again.
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
import { lowerPriority, lowerSessionPriority } from ${JSON.stringify(MODULE)}
lowerPriority(Number(process.argv[1]))
lowerSessionPriority(Number(process.argv[1]))
const ofSession = existsSync('/proc/self/autogroup') ? readFileSync('/proc/self/autogroup', 'utf8') : ''
console.log(JSON.stringify({ process: getPriority(), session: Number(/nice (-?\\d+)/.exec(ofSession)?.[1]) }))
`

/** @param shell a shell script that runs the program as "$@" */
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

const OWN_SESSION = { detached: true }

test('the nice value 0 changes nothing', async () => {
  expect(await priorities(0, 'exec "$@"', OWN_SESSION)).toMatchObject({ process: 0 })
})

test('the nice value of the process is raised, unless it is already higher', async () => {
  expect(await priorities(10, 'exec "$@"')).toMatchObject({ process: 10 })
  expect(await priorities(10, 'exec nice -n 15 "$@"')).toMatchObject({ process: 15 })
})

describe.skipIf(!existsSync('/proc/self/autogroup'))('with autogroup scheduling', () => {
  test('the nice value of a session is raised if the worker is alone in it', async () => {
    expect(await priorities(0, '"$@"; true', OWN_SESSION)).toEqual({ process: 0, session: 0 })
    expect(await priorities(10, '"$@"; true', OWN_SESSION)).toEqual({ process: 10, session: 10 })
  })

  test('the nice value of a session is unchanged if other processes share it', async () => {
    const withAnother = 'sleep 60 >/dev/null & "$@"; kill $!'
    expect(await priorities(10, withAnother, OWN_SESSION)).toEqual({ process: 10, session: 0 })
  })
})
