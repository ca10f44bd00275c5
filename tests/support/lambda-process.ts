// The Lambda function as AWS runs it: a process that imports its module once and hands it one event after the other.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CHILD_ENVIRONMENT } from './child-environment.ts'

export interface LambdaAnswer {
  statusCode: number
  headers: Record<string, string>
  body: string
  isBase64Encoded: boolean
  cookies?: string[]
}

export interface LambdaProcess {
  /** Hands over one event, and resolves with what API Gateway would be given. */
  invoke(event: object): Promise<LambdaAnswer>
  /** Stands still between two events, as AWS lets it. */
  freeze(): void
  end(): Promise<void>
}

export async function startLambda(settings: Record<string, string>): Promise<LambdaProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['lambda'], {
    env: { ...CHILD_ENVIRONMENT, ...settings },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await answerOf(child)
  return {
    async invoke(event) {
      child.kill('SIGCONT')
      const answer = answerOf(child)
      child.send(event)
      return (await answer) as LambdaAnswer
    },
    freeze: () => child.kill('SIGSTOP'),
    async end() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const gone = once(child, 'exit').then(() => Promise.reject(new Error('the function has ended')))
  gone.catch(() => {})
  const [answer] = await Promise.race([once(child, 'message'), gone])
  return answer
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'lambda') {
  const { handler } = await import('../../src/lambda.ts')
  // A function must not outlive the test that started it.
  process.on('disconnect', () => process.exit(2))
  process.on('message', async (event) => {
    // What AWS sends is what the adapter's type describes; the tests' events were written after recorded ones.
    process.send?.(await handler(event as never, { awsRequestId: 'test' } as never))
  })
  process.send?.('ready')
}
