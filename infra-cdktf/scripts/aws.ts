// Runs the AWS CLI with the credentials of the caller. Secrets are passed in a private file, not as
// arguments.
import { spawn } from 'node:child_process'
import { beforeSignal, withPrivateFile } from './private-file.ts'

/** Runs `aws service operation …`. @returns its JSON, or null for empty output. @throws AwsError */
export type Aws = (args: string[], input?: Record<string, unknown>) => Promise<unknown>

/** Runs `aws …` in this terminal, without a result. @returns its exit code */
export type AwsInTerminal = (args: string[]) => Promise<number>

export class AwsError extends Error {
  /** Error code of AWS, e.g. `ParameterNotFound`. Empty if AWS could not be reached. */
  readonly code: string
  constructor(operation: string, stderr: string) {
    super(`aws ${operation}: ${stderr.trim() || 'failed without an error message'}`)
    this.name = 'AwsError'
    this.code = /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? ''
  }
}

/** Returns undefined instead of an error whose code shows that the thing does not exist. */
export async function orMissing(call: Promise<unknown>, code: RegExp): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    if (error instanceof AwsError && code.test(error.code)) return undefined
    throw error
  }
}

/** Creates a function that calls AWS in one region. The AWS CLI must be installed and signed in. */
export function createAws(region: string): Aws {
  return async (args, input) => {
    const options = ['--region', region, '--output', 'json']
    const { code, stdout, stderr } = input
      ? await withPrivateFile(JSON.stringify(input), (path) =>
          run([...args, '--cli-input-json', `file://${path}`, ...options]),
        )
      : await run([...args, ...options])
    if (code !== 0) throw new AwsError(args.slice(0, 2).join(' '), stderr)
    return stdout.trim() === '' ? null : JSON.parse(stdout)
  }
}

/** @throws Error if the AWS CLI has version 1, which lacks `aws logs tail` */
export async function assertVersion2(): Promise<void> {
  const { stdout, stderr } = await run(['--version'])
  const version = `${stdout}${stderr}`.trim()
  if (version.startsWith('aws-cli/1.'))
    throw new Error(`This command needs version 2 of the AWS CLI; aws --version prints "${version}"`)
}

/**
 * Creates a function for commands that a person watches or types in, such as the end of a log or a session.
 */
export function createAwsInTerminal(region: string): AwsInTerminal {
  return async (args) => {
    const child = start([...args, '--region', region], 'inherit')
    return new Promise((resolve, reject) => {
      // In a session Ctrl-C belongs to the remote shell. `aws logs tail` ends on it by itself.
      const ignore = () => {}
      process.on('SIGINT', ignore)
      child.on('error', (error) => reject(startError(error)))
      child.on('close', (code) => {
        process.off('SIGINT', ignore)
        resolve(code ?? 1)
      })
    })
  }
}

function run(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = start(args, ['ignore', 'pipe', 'pipe'])
    const unregister = beforeSignal((signal) => child.kill(signal))
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    child.on('error', (error) => {
      unregister()
      reject(startError(error))
    })
    child.on('close', (code) => {
      unregister()
      resolve({ code: code ?? 1, stdout, stderr })
    })
  })
}

// The pager of the AWS CLI would wait for a key.
const start = (args: string[], stdio: 'inherit' | ('ignore' | 'pipe')[]) =>
  spawn('aws', args, { stdio, env: { ...process.env, AWS_PAGER: '' } })

const startError = (error: Error) => new Error(`"aws" cannot be started: ${error.message}`)
