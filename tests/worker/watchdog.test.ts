// The watchdog of the event loop in this process: which code blocks the loop, and what it does without a
// server.
import { AsyncLocalStorage } from 'node:async_hooks'
import { pbkdf2Sync } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { createEvents, type TelemetryEvents } from '../../src/telemetry/events.ts'
import { type AttemptKey, createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { startWatchdog } from '../../src/worker/watchdog/watchdog.ts'
import { claimedTask } from '../support/claimed-task.ts'
import { until } from '../support/system.ts'

const NO_POSTGRES = 'postgres://waggle@127.0.0.1:1/waggle'

async function start({ databaseUrl = 'pglite:', blockGraceMs = 60_000 } = {}) {
  const scope = new AsyncLocalStorage<AttemptKey>()
  const running = createRunningTasks({ scope })
  const events = createEvents()
  const blocks: TelemetryEvents['loop.blocked'][0][] = []
  const errors: TelemetryEvents['error.transient'][0][] = []
  events.on('loop.blocked', (block) => blocks.push(block))
  events.on('error.transient', (error) => errors.push(error))
  const watchdog = startWatchdog({
    workerId: newId(),
    databaseUrl,
    role: 'test',
    scope,
    running,
    events,
    missingAfterMs: 3_000,
    blockGraceMs,
  })
  onTestFinished(() => watchdog.stop())
  const begin = (timeoutMs = 60_000) => {
    const attempt = running.begin(claimedTask({ timeoutMs }))
    if (!attempt) throw new Error('the attempt runs already')
    watchdog.noteDeadline(attempt.startedMs + timeoutMs)
    return attempt
  }
  await watchdog.started
  return { scope, running, blocks, errors, watchdog, begin }
}

function compute(ms: number) {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test.for([
  ['an attempt that computes', () => compute(2_500), 'compute'],
  ['an attempt in native code', () => pbkdf2Sync('a', 'b', 6_000_000, 64, 'sha512').toString('hex'), ''],
] as const)('%s is found among others, also after a pause', async ([, work, name]) => {
  const { scope, watchdog, begin, blocks } = await start()
  const [first, second, third] = [begin(), begin(), begin()]
  const others = [first, third].map((other) => scope.run(other.key, () => pause(3_000)))
  await scope.run(second.key, async () => {
    await pause(1)
    work()
  })
  await Promise.all(others)
  expect(watchdog.blockOf(second)).toMatchObject({
    ms: expect.any(Number),
    frames: expect.arrayContaining([
      expect.stringMatching(new RegExp(`^${name}.*tests/worker/watchdog.test.ts:\\d+$`)),
    ]),
  })
  expect(second.block?.ms).toBeGreaterThan(1_000)
  expect([first, third].map(watchdog.blockOf)).toEqual([undefined, undefined])
  expect(blocks).toEqual([])
})

test('the blocks of one attempt are added, and the frames are those of the longest one', async () => {
  const { scope, watchdog, begin } = await start()
  const attempt = begin()
  await scope.run(attempt.key, async () => {
    ;(function longest() {
      compute(4_500)
    })()
    await pause(600)
    compute(1_400)
  })
  const block = watchdog.blockOf(attempt)
  // V8 can have inlined `compute`.
  expect(block?.frames.slice(0, 2)).toContainEqual(expect.stringMatching(/^longest /))
  expect(block?.ms).toBeGreaterThan(block?.longestMs ?? Number.POSITIVE_INFINITY)
})

test('a block by code of no running attempt is reported when it has ended', async () => {
  const { scope, running, begin, blocks } = await start()
  const ended = begin()
  running.end(ended)
  await scope.run(ended.key, async () => compute(2_500))
  await until(
    async () => blocks,
    ({ length }) => length > 0,
  )
  expect(blocks).toEqual([
    expect.objectContaining({ ...ended.key, frames: expect.arrayContaining([expect.any(String)]) }),
  ])
  expect(blocks[0]).not.toHaveProperty('name')
})

test('with the embedded database an attempt beyond its timeout is not ended', async () => {
  const { scope, watchdog, begin } = await start({ blockGraceMs: 200 })
  const attempt = begin(100)
  await scope.run(attempt.key, async () => compute(3_000))
  expect(watchdog.blockOf(attempt)).toBeDefined()
})

test('if Postgres cannot be reached during a block, this is reported once when it has ended', async () => {
  const { scope, watchdog, begin, errors } = await start({ databaseUrl: NO_POSTGRES })
  const attempt = begin()
  await scope.run(attempt.key, async () => compute(5_000))
  await until(
    async () => errors,
    ({ length }) => length > 0,
  )
  await pause(1)
  expect(errors).toEqual([{ where: 'heartbeat while the event loop was blocked', error: expect.any(Error) }])
  expect(watchdog.lastBeatAtMs()).toBe(0)
})
