// The command lines that the tests use, as a person would.
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

export interface CommandResult {
  code: number
  /** Both streams, as they came. */
  output: string
}

/** Runs a program to its end, whatever its exit code. */
export async function run(program: string, args: string[], cwd?: string): Promise<CommandResult> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd, maxBuffer: 64 * 1024 * 1024 })
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    // What execFile rejects with when a program ended with another code than 0.
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string }
    return { code: typeof code === 'number' ? code : -1, output: stdout + stderr }
  }
}

/** @throws with all that it printed when it fails */
export async function docker(args: string[], cwd?: string): Promise<string> {
  const { code, output } = await run('docker', args, cwd)
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${output}`)
  return output.trim()
}

export function hasEngine(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
}
