// The AWS command line, with which the credentials of whoever calls come along. What is secret travels by its input.
import { spawn } from 'node:child_process'

/** Runs `aws service operation …` and returns its JSON; null where it answers nothing. @throws AwsError */
export type Aws = (args: string[], input?: Record<string, unknown>) => Promise<unknown>

export class AwsError extends Error {
  /** e.g. `ParameterNotFound`; empty where AWS was not reached. */
  readonly code: string
  constructor(operation: string, stderr: string) {
    super(`aws ${operation}: ${stderr.trim() || 'failed without a word'}`)
    this.name = 'AwsError'
    this.code = /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? ''
  }
}

export function createAws(region: string): Aws {
  return async (args, input) => {
    const options = ['--region', region, '--output', 'json', '--no-cli-pager']
    const given = input ? ['--cli-input-json', 'file:///dev/stdin'] : []
    const operation = args.slice(0, 2).join(' ')
    const { code, stdout, stderr } = await run('aws', [...args, ...given, ...options], JSON.stringify(input))
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
    // It may end before it has read everything.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
