// Runs the programs of this folder's package, and others.
import { execFile } from 'node:child_process'
import { join } from 'node:path'

/** The folder of the tests, with the package of the generators and linters. */
export const HERE = join(import.meta.dirname, '..')

/** Keeps Redocly from reporting its use and from asking for newer versions. */
const ENVIRONMENT = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }

export interface Outcome {
  /** Exit code; null if the program was ended by a signal. */
  code: number | null
  stdout: string
  stderr: string
}

/** Returns the path of a program of the package. */
export function toolOf(name: string): string {
  return join(HERE, 'node_modules/.bin', name)
}

/** Runs a program and returns how it ended. @throws if it cannot be started */
export function runProgram(
  program: string,
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Outcome> {
  const env = { ...ENVIRONMENT, ...options.env }
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: options.cwd, env, maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
      const code = error ? (error.code ?? null) : 0
      // A text, such as ENOENT, is the reason why the program could not be started.
      if (typeof code === 'string') reject(error)
      else resolve({ code, stdout, stderr })
    })
  })
}

/** Runs a program and returns what it wrote to stdout. @throws Error with its output if it fails */
export async function runSuccessfully(...args: Parameters<typeof runProgram>): Promise<string> {
  const { code, stdout, stderr } = await runProgram(...args)
  if (code !== 0) throw new Error(`${args[0]} ${args[1].join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}
