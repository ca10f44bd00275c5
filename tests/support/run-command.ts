// Runs a `waggle` command to its end, as a shell does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

/** @param options `input`: standard input, which is empty by default */
export async function runCommand(
  args: string[],
  options: { folder?: string; settings?: Record<string, string>; input?: string } = {},
): Promise<CommandResult> {
  const { folder, settings = {}, input = '' } = options
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...CHILD_ENVIRONMENT, ...settings },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, stdout, stderr }
}
