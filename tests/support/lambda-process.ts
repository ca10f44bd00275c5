// Runs the Lambda function as AWS does: a process imports the module once and passes it one event after the
// other.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'

export interface LambdaResponse {
  statusCode: number
  headers: Record<string, string>
  body: string
  isBase64Encoded: boolean
  cookies?: string[]
}

export interface LambdaProcess {
  /** Passes one event to the function. Resolves with the response for API Gateway. */
  invoke(event: object): Promise<LambdaResponse>
  /** Stops the process until the next event, as AWS freezes a function between events. */
  freeze(): void
  end(): Promise<void>
}

export async function startLambda(settings: Record<string, string>): Promise<LambdaProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['lambda'], {
    env: { ...CHILD_ENVIRONMENT, ...settings },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await nextMessage(child)
  return {
    async invoke(event) {
      child.kill('SIGCONT')
      const response = nextMessage(child)
      child.send(event)
      return (await response) as LambdaResponse
    },
    freeze: () => child.kill('SIGSTOP'),
    async end() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** @throws when the process exits first */
async function nextMessage(child: ChildProcess): Promise<unknown> {
  const exited = once(child, 'exit').then(() => Promise.reject(new Error('the function has ended')))
  exited.catch(() => {})
  const [message] = await Promise.race([once(child, 'message'), exited])
  return message
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'lambda') {
  const { handler } = await import('../../src/lambda.ts')
  // Exit when the parent disconnects, so that the function does not outlive the test process.
  process.on('disconnect', () => process.exit(2))
  process.on('message', async (event) => {
    // The events of the tests follow recorded events of AWS, which the adapter's type describes.
    process.send?.(await handler(event as never, { awsRequestId: 'test' } as never))
  })
  process.send?.('ready')
}
