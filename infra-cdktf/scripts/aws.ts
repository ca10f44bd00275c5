// Runs the AWS CLI with the credentials of the caller. Secrets are passed on stdin, not as arguments.
import { spawn } from 'node:child_process'

/** Runs `aws service operation …`. @returns its JSON, or null for empty output. @throws AwsError */
export type Aws = (args: string[], input?: Record<string, unknown>) => Promise<unknown>

export class AwsError extends Error {
  /** Error code of AWS, e.g. `ParameterNotFound`. Empty if AWS could not be reached. */
  readonly code: string
  constructor(operation: string, stderr: string) {
    super(`aws ${operation}: ${stderr.trim() || 'failed without an error message'}`)
    this.name = 'AwsError'
    this.code = /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? ''
  }
}

export function createAws(region: string): Aws {
  return async (args, input) => {
    const options = ['--region', region, '--output', 'json', '--no-cli-pager']
    const inputOptions = input ? ['--cli-input-json', 'file:///dev/stdin'] : []
    const operation = args.slice(0, 2).join(' ')
    const { code, stdout, stderr } = await run(
      'aws',
      [...args, ...inputOptions, ...options],
      JSON.stringify(input),
    )
    if (code !== 0) throw new AwsError(operation, stderr)
    return stdout.trim() === '' ? null : JSON.parse(stdout)
  }
}

function run(
  program: string,
  args: string[],
  input = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.on('error', (error) => reject(new Error(`"${program}" cannot be started: ${error.message}`)))
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
    // The child can exit before it has read all of stdin; ignore EPIPE.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
