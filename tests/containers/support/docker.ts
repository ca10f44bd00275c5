// Runs command lines for the tests.
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

export interface CommandResult {
  code: number
  /** Standard output, followed by standard error. */
  output: string
}

/**
 * Runs a program to its end. Does not throw for an exit code other than 0; the code is -1 if it did not
 * start.
 */
export async function run(program: string, args: string[], cwd?: string): Promise<CommandResult> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, maxBuffer: 64 * 1024 * 1024 })
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    // The type of the error with which execFile rejects for an exit code other than 0.
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string }
    return { code: typeof code === 'number' ? code : -1, output: stdout + stderr }
  }
}

/** Runs docker and returns its output. @throws an Error with the output if the exit code is not 0 */
export async function docker(args: string[], cwd?: string): Promise<string> {
  const { code, output } = await run('docker', args, cwd)
  if (code !== 0) throw new Error(`docker ${args.join(' ')} exited with ${code}: ${output}`)
  return output.trim()
}

export function hasEngine(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
}
