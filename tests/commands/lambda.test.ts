// The API as a Lambda function. It gets events like those of API Gateway (HTTP API, payload format 2.0).
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { type LambdaProcess, startLambda } from '../support/lambda-process.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

/**
 * Creates an event modelled on one recorded from an HTTP API with a `$default` stage. Names and addresses are
 * changed.
 */
function createEvent(method: string, path: string, changes: object = {}) {
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

  test('accepts a task and returns its result when it has finished', async () => {
    const accepted = await lambda.invoke(createEvent('POST', '/v1/tasks/reverse', submission('ab')))
    expect(accepted.statusCode).toBe(202)
    const task: TaskView = JSON.parse(accepted.body)
    expect(accepted.headers.location).toBe(`/v1/tasks/${task.id}`)
    const read = await lambda.invoke(createEvent('GET', `/v1/tasks/${task.id}?wait=20`))
    expect(JSON.parse(read.body)).toMatchObject({ status: 'SUCCESS', result: { text: 'ba' } })
  })

  test('enqueues the task before it responds, so that the task runs although the function is frozen', async () => {
    const accepted = await lambda.invoke(createEvent('POST', '/v1/tasks/reverse', submission('cd')))
    lambda.freeze()
    const { id }: TaskView = JSON.parse(accepted.body)
    await system.taskWhenFinal(id)
    // No worker enqueued the task: the function had done it.
    expect(system.emitted('tasks.enqueued')).toEqual([])
  })

  test('accepts a Base64 body, which API Gateway sends for content types that it treats as binary', async () => {
    const body = Buffer.from(JSON.stringify({ email: 'ada@example.com' })).toString('base64')
    const response = await lambda.invoke(createEvent('POST', '/notify/', { body, isBase64Encoded: true }))
    expect(response.statusCode).toBe(202)
    expect(JSON.parse(response.body)).toMatchObject({ status: 'PENDING' })
  })

  test('responds to invalid requests with problem documents', async () => {
    const wrong = await lambda.invoke(createEvent('POST', '/v1/tasks/reverse', { body: '{"input": {}}' }))
    expect(wrong.statusCode).toBe(422)
    expect(wrong.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(wrong.body).errors).toMatchObject([{ pointer: '#/input/text' }])
    expect((await lambda.invoke(createEvent('GET', '/v1/nothing'))).statusCode).toBe(404)
    expect((await lambda.invoke(createEvent('HEAD', '/health'))).statusCode).toBe(200)
  })

  test('does not start without API_KEYS or ALLOW_ANONYMOUS, whatever NODE_ENV is', async () => {
    await expect(startLambda(servers())).rejects.toThrow('the function has ended')
    await expect(startLambda({ ...servers(), NODE_ENV: 'development' })).rejects.toThrow('has ended')
  })

  test('requires an API key when API_KEYS is set', async () => {
    const own = await startLambda({
      ...servers(),
      API_KEYS: keys.apiKeys
        .map(({ name, scopes, hash }) => `${name}:${scopes.join('+')}:${hash.toString('hex')}`)
        .join(),
    })
    expect((await own.invoke(createEvent('GET', '/v1/tasks'))).statusCode).toBe(401)
    const event = createEvent('GET', '/v1/tasks')
    const headers = { ...event.headers, authorization: keys.headers('ci').Authorization }
    expect((await own.invoke({ ...event, headers })).statusCode).toBe(200)
    await own.end()
  })
})
