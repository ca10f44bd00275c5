// Definitions of tasks that misbehave (block, kill the worker, ignore the abort signal, fail). Each run
// inserts a row into the table `runs`.
import { AsyncResource } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import pg from 'pg'
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'

export interface RunRecorder {
  record(context: TaskContext, note?: string): Promise<void>
  all(): Promise<{ task_id: string; attempt: number; pid: number; note: string | null }[]>
  close(): Promise<void>
}

/**
 * Writes over its own connections, so that a run is counted even if the system under test refuses its result.
 */
export async function createRunRecorder(databaseUrl: string): Promise<RunRecorder> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  pool.on('error', () => {})
  // A client that is being closed is no longer watched by the pool.
  pool.on('connect', (client) => void client.on('error', () => {}))
  // Despite `if not exists`, two concurrent creations can collide. One of them has then created the table.
  await pool
    .query(`create table if not exists runs
    (task_id uuid, attempt int, pid int, note text, at timestamptz default clock_timestamp())`)
    .catch(() => {})
  return {
    async record({ id, attempt }, note) {
      await pool.query('insert into runs (task_id, attempt, pid, note) values ($1, $2, $3, $4)', [
        id,
        attempt,
        process.pid,
        note,
      ])
    },
    all: async () => (await pool.query('select * from runs order by at')).rows,
    close: () => pool.end(),
  }
}

function throwAstray() {
  throw new RangeError('astray')
}

// Created outside of any attempt, like a connection that a module opens when it is loaded.
const shared = new AsyncResource('shared connection')

function throwUnattributed() {
  shared.runInAsyncScope(() => setImmediate(throwAstray))
}

function compute(ms: number) {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

/** @param recorder is not needed if the test only submits the tasks or does not count their runs */
export function createTestDefinitions(recorder?: RunRecorder) {
  const record: RunRecorder['record'] = async (context, note) => recorder?.record(context, note)
  const quick = { output: z.unknown(), description: 'for tests', backoff: { baseMs: 50, capMs: 200 } }
  return [
    defineTask({
      ...quick,
      name: 'sleep',
      title: 'Sleeps, in later attempts for another time, and stops when it is aborted',
      input: z.object({ ms: z.number(), laterMs: z.number().optional() }),
      example: { ms: 1 },
      async run({ ms, laterMs = ms }, context) {
        await record(context)
        await pause(context.attempt === 1 ? ms : laterMs, context.signal)
        context.signal.throwIfAborted()
        return context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'ignores_signal',
      title: 'Sleeps, and ignores an abort',
      input: z.object({ ms: z.number() }),
      example: { ms: 1 },
      async run({ ms }, context) {
        await record(context)
        await pause(ms)
        return context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'hang',
      title: 'Never ends in its first attempt, and ignores an abort',
      input: z.object({}),
      example: {},
      async run(_, context): Promise<unknown> {
        await record(context)
        return context.attempt === 1 ? new Promise(() => {}) : context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'stray_throw',
      title: 'Throws outside of its promise in its first attempt, which never ends or ends at its abort',
      input: z.object({
        kind: z.enum(['timer', 'rejection', 'abort listener']),
        ending: z.enum(['never', 'at its abort']).default('never'),
      }),
      example: { kind: 'timer', ending: 'never' },
      async run({ kind, ending }, context): Promise<unknown> {
        await record(context)
        if (context.attempt > 1) return context.attempt
        if (kind === 'timer') setTimeout(throwAstray, 1)
        else if (kind === 'rejection') void Promise.reject(new RangeError('astray'))
        else context.signal.addEventListener('abort', throwAstray)
        return ending === 'never'
          ? new Promise(() => {})
          : pause(60_000, context.signal).then(() => 'ignored')
      },
    }),
    defineTask({
      ...quick,
      name: 'late_throw',
      title: 'Ends, and throws after its end',
      input: z.object({ ms: z.number() }),
      example: { ms: 1 },
      async run({ ms }, context) {
        await record(context)
        setTimeout(throwAstray, ms)
        return context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'shared_throw',
      title: 'Makes a connection that all tasks share throw, which is not attributed to this task',
      input: z.object({}),
      example: {},
      async run(_, context) {
        await record(context)
        throwUnattributed()
        return context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'block',
      title: 'Blocks the event loop in its first attempt: after a pause, at once, or in native code',
      input: z.object({
        ms: z.number(),
        kind: z.enum(['after a pause', 'at once', 'native']).default('after a pause'),
      }),
      example: { ms: 1, kind: 'at once' },
      async run({ ms, kind }, context) {
        if (kind !== 'at once') await record(context)
        if (context.attempt === 1 && kind === 'native') execFileSync('sleep', [String(ms / 1_000)])
        else if (context.attempt === 1) compute(ms)
        return context.attempt
      },
    }),
    defineTask({
      ...quick,
      name: 'wait_for_answer',
      title: 'Waits for the first bytes of a server, and ignores an abort',
      input: z.object({ port: z.number() }),
      example: { port: 1 },
      async run({ port }) {
        const socket = connect(port, '127.0.0.1')
        const [bytes] = await once(socket, 'data')
        socket.destroy()
        return String(bytes)
      },
    }),
    defineTask({
      ...quick,
      name: 'kill',
      title: 'Kills its worker',
      input: z.object({}),
      example: {},
      async run(_, context): Promise<unknown> {
        await record(context)
        process.kill(process.pid, 'SIGKILL')
        return new Promise(() => {})
      },
    }),
    defineTask({
      ...quick,
      name: 'exit',
      title: 'Exits its process',
      input: z.object({}),
      example: {},
      async run(_, context): Promise<unknown> {
        await record(context)
        process.exit(3)
      },
    }),
    defineTask({
      ...quick,
      name: 'hold',
      title: 'Runs until it is aborted',
      input: z.object({}),
      example: {},
      async run(_, context): Promise<unknown> {
        await record(context)
        await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()))
        await record(context, `aborted: ${context.signal.reason?.reason}`)
        throw context.signal.reason
      },
    }),
    defineTask({
      ...quick,
      name: 'log_lines',
      title: 'Logs lines, and then ends, fails, or runs until it is aborted',
      input: z.object({ lines: z.array(z.string()), ending: z.enum(['end', 'fail', 'hold']) }),
      example: { lines: [], ending: 'end' },
      async run({ lines, ending }, context): Promise<unknown> {
        for (const line of lines) context.log(line, { attempt: context.attempt })
        await record(context)
        if (ending === 'fail') throw new Error('as requested')
        if (ending === 'end') return null
        await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()))
        throw context.signal.reason
      },
    }),
    defineTask({
      ...quick,
      name: 'unstorable',
      title: 'Returns a value that JSON cannot express',
      input: z.object({}),
      example: {},
      async run() {
        const circle: { self?: unknown } = {}
        circle.self = circle
        return circle
      },
    }),
  ]
}
