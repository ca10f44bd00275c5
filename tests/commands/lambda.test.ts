// The same API as a Lambda function, given events as API Gateway (HTTP API, payload format 2.0) sends them.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { type LambdaProcess, startLambda } from '../support/lambda-process.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

/** After an event recorded from an HTTP API with a `$default` stage; names and addresses are changed. */
function recorded(method: string, path: string, changes: object = {}) {
  const [rawPath, rawQueryString = ''] = path.split('?')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString,
    headers: {
      accept: '*/*',
      'accept-encoding': 'gzip, deflate, br',
      'content-type': 'application/json',
      host: 'a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com',
      'user-agent': 'curl/8.7.1',
      'x-amzn-trace-id': 'Root=1-66f1c0de-0123456789abcdef01234567',
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
    },
    requestContext: {
      accountId: '123456789012',
      apiId: 'a1b2c3d4e5',
      domainName: 'a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com',
      domainPrefix: 'a1b2c3d4e5',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '203.0.113.7', userAgent: 'curl/8.7.1' },
      requestId: 'ekX2YhJ9FiAEPgQ=',
      routeKey: '$default',
      stage: '$default',
      time: '23/Sep/2024:19:24:30 +0000',
      timeEpoch: 1_727_119_470_123,
    },
    isBase64Encoded: false,
    ...changes,
  }
}

const keys = createTestKeys({ ci: ['submit', 'read'] })

describe.skipIf(inject('postgresUrl') === null)('the API as a Lambda function', () => {
  let system: TestSystem
  let lambda: LambdaProcess
  beforeAll(async () => {
    system = await startSystem()
    lambda = await startLambda({ ...servers(), ALLOW_ANONYMOUS: 'true' })
  })
  afterAll(async () => {
    await lambda.end()
    await system.stop()
  })

  const servers = () => ({ DATABASE_URL: system.database.url, REDIS_URL: system.redis.url })
  const submission = (text: string) => ({ body: JSON.stringify({ input: { text } }) })

  test('takes a task, and reads it when it is done', async () => {
    const accepted = await lambda.invoke(recorded('POST', '/v1/tasks/reverse', submission('ab')))
    expect(accepted.statusCode).toBe(202)
    const task: TaskView = JSON.parse(accepted.body)
    expect(accepted.headers.location).toBe(`/v1/tasks/${task.id}`)
    const read = await lambda.invoke(recorded('GET', `/v1/tasks/${task.id}?wait=20`))
    expect(JSON.parse(read.body)).toMatchObject({ status: 'SUCCESS', result: { text: 'ba' } })
  })

  test('frozen as soon as it has answered, it has rung the bell', async () => {
    const accepted = await lambda.invoke(recorded('POST', '/v1/tasks/reverse', submission('cd')))
    lambda.freeze()
    const { id }: TaskView = JSON.parse(accepted.body)
    await system.taskWhenFinal(id)
    // Heard the first time: nobody had to ring again.
    expect(system.announced('tasks.enqueued')).toEqual([])
  })

  test('takes a body in Base64, as API Gateway encodes what it takes for binary', async () => {
    const body = Buffer.from(JSON.stringify({ email: 'ada@example.com' })).toString('base64')
    const answer = await lambda.invoke(recorded('POST', '/notify/', { body, isBase64Encoded: true }))
    expect(answer.statusCode).toBe(202)
    expect(JSON.parse(answer.body)).toMatchObject({ status: 'PENDING' })
  })

  test('answers what is wrong as everywhere', async () => {
    const wrong = await lambda.invoke(recorded('POST', '/v1/tasks/reverse', { body: '{"input": {}}' }))
    expect(wrong.statusCode).toBe(422)
    expect(wrong.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(wrong.body).errors).toMatchObject([{ pointer: '#/input/text' }])
    expect((await lambda.invoke(recorded('GET', '/v1/nothing'))).statusCode).toBe(404)
    expect((await lambda.invoke(recorded('HEAD', '/health'))).statusCode).toBe(200)
  })

  test('does not start open unless it is told to, whatever NODE_ENV is', async () => {
    await expect(startLambda(servers())).rejects.toThrow('the function has ended')
    await expect(startLambda({ ...servers(), NODE_ENV: 'development' })).rejects.toThrow('has ended')
  })

  test('asks for keys where there are some', async () => {
    const own = await startLambda({
      ...servers(),
      API_KEYS: keys.apiKeys
        .map(({ name, scopes, hash }) => `${name}:${scopes.join('+')}:${hash.toString('hex')}`)
        .join(),
    })
    expect((await own.invoke(recorded('GET', '/v1/tasks'))).statusCode).toBe(401)
    const event = recorded('GET', '/v1/tasks')
    const headers = { ...event.headers, authorization: keys.headers('ci').Authorization }
    expect((await own.invoke({ ...event, headers })).statusCode).toBe(200)
    await own.end()
  })
})
