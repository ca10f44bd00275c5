import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { PermanentError, type TaskContext } from 'waggle-tasks'

// EX_DATAERR of sysexits.h. With this exit code, a program says that another attempt cannot succeed.
const PERMANENT_FAILURE = 65

/**
 * Runs a program with the input as JSON on its standard input, and returns the JSON of its standard output. The
 * lines of its standard error are log lines of the task. The abort of the attempt kills the program.
 */
export async function runProgram(
  [command, ...args]: [string, ...string[]],
  input: unknown,
  { signal, log }: Pick<TaskContext, 'signal' | 'log'>,
): Promise<unknown> {
  signal.throwIfAborted()
  const child = spawn(command, args)
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  let lastLine = ''
  createInterface(child.stderr).on('line', (line) => {
    log(line)
    lastLine = line
  })
  // The program can end before it has read its input.
  child.stdin.on('error', () => {})
  child.stdin.end(JSON.stringify(input))
  const ended = Promise.all([once(child, 'close'), text(child.stdout)])
  const [[code, killedBy], output] = await ended.finally(() => signal.removeEventListener('abort', kill))
  signal.throwIfAborted()
  if (code === 0) return JSON.parse(output)
  const message = `${command} ended with ${killedBy ?? code}: ${lastLine}`
  throw code === PERMANENT_FAILURE ? new PermanentError(message) : new Error(message)
}
