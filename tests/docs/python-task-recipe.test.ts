// The recipe of docs/recipes/python-task.md. Programs that misbehave are JavaScript, so that they need no Python.
import { expect, onTestFinished, test } from 'vitest'
import { PermanentError, type TaskDefinition } from 'waggle-tasks'
import { runTask } from 'waggle-tasks/testing'
import { runProgram } from '../../docs/recipes/run-program.ts'
import { summarize } from '../../docs/recipes/summarize.ts'
import { hasPython } from '../support/python.ts'
import { startSystem } from '../support/system.ts'

const testWithPython = test.skipIf(!hasPython())

testWithPython(
  'a Python program gets the input, returns the result and writes the log of the task',
  async () => {
    const system = await startSystem({ definitions: [summarize as TaskDefinition] })
    onTestFinished(() => system.stop())
    const { id } = await system.submit('summarize', { numbers: [1, 2, 6] })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      result: { count: 3, mean: 3, deviation: Math.sqrt(7) },
    })
    const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
    expect(body).toMatchObject({ data: [{ message: 'Summarizing 3 numbers' }] })
  },
)

testWithPython('a Python program says that another attempt cannot succeed', async () => {
  const run = runTask(summarize, { numbers: [1] })
  await expect(run).rejects.toThrow('python3 ended with 65: A deviation needs at least two numbers')
  await expect(run).rejects.toBeInstanceOf(PermanentError)
})

/** Runs a program in JavaScript. */
async function run(
  code: string,
  { input = {}, signal = new AbortController().signal, onLog = () => {} }: Options = {},
) {
  return runProgram([process.execPath, '-e', code], input, { signal, log: onLog })
}

interface Options {
  input?: unknown
  signal?: AbortSignal
  onLog?: (line: string) => void
}

test('texts pass as they are, in both directions', async () => {
  const input = { text: 'ä € 😀\n', list: [null, 0.1, 'x'.repeat(200_000)] }
  expect(await run('process.stdin.pipe(process.stdout)', { input })).toEqual(input)
})

test.each<[end: string, code: string, message: string]>([
  ['an exit code', 'console.error("a"); console.error("b"); process.exitCode = 3', 'ended with 3: b'],
  ['an uncaught error', 'throw new RangeError("too far")', 'ended with 1: '],
  ['a signal', 'process.kill(process.pid, "SIGKILL")', 'ended with SIGKILL: '],
  ['an output that is not JSON', 'console.log("done")', 'is not valid JSON'],
])('%s is an error that is retried', async (_, code, message) => {
  // Larger than the buffer of a pipe, which the program does not read.
  const running = run(code, { input: 'x'.repeat(1_000_000) })
  await expect(running).rejects.toThrow(message)
  await expect(running).rejects.not.toBeInstanceOf(PermanentError)
})

test('a program that does not exist is an error', async () => {
  const context = { signal: new AbortController().signal, log: () => {} }
  await expect(runProgram(['no-such-program'], {}, context)).rejects.toThrow('ENOENT')
})

test('every line of the standard error is logged, also the last one without an end', async () => {
  const lines: string[] = []
  const code = 'process.stderr.write("one\\ntwo\\n\\nfour"); console.log(1)'
  expect(await run(code, { onLog: (line) => void lines.push(line) })).toBe(1)
  expect(lines).toEqual(['one', 'two', '', 'four'])
})

test('the abort kills the program, also one that ignores signals, before the attempt ends', async () => {
  const controller = new AbortController()
  const code = 'process.on("SIGTERM", () => {}); console.error(process.pid); setInterval(() => {}, 1e6)'
  let pid = 0
  onTestFinished(() => {
    // Without a kill by the attempt, the program would run on.
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  const running = run(code, {
    signal: controller.signal,
    onLog(line) {
      pid = Number(line)
      controller.abort(new Error('as the test requires'))
    },
  })
  await expect(running).rejects.toThrow('as the test requires')
  expect(pid).toBeGreaterThan(0)
  expect(isAlive(pid)).toBe(false)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('an aborted attempt starts no program', async () => {
  const lines: string[] = []
  const signal = AbortSignal.abort(new Error('as the test requires'))
  const running = run('console.error("started")', { signal, onLog: (line) => void lines.push(line) })
  await expect(running).rejects.toThrow('as the test requires')
  expect(lines).toEqual([])
})
