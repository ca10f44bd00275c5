// Submits tasks with the typed client and prints their results.
import { ApiError, createClient } from 'waggle-tasks/client'
import type config from './waggle.config.ts'

const client = createClient<typeof config>({ baseUrl: process.argv[2] ?? '' })
const hello = await client.submit('hello', { name: 'Ada' })
const shout = await client.submit('shout', { name: 'Ada' })
const refused = await client.submit('shout', { name: '' })
const greeted = await client.waitFor(hello)
const shouted = await client.waitFor(shout)
const read = await client.task(refused)
const failed = await client.waitFor(read)
console.log(
  JSON.stringify({
    greeting: greeted.status === 'SUCCESS' ? greeted.result.greeting : undefined,
    shout: shouted.status === 'SUCCESS' ? shouted.result.greeting : undefined,
    pid: shouted.status === 'SUCCESS' ? shouted.result.pid : undefined,
    error: failed.error?.name,
    attempts: failed.attempt,
    unknown: await client.task('nothing').catch((error) => error instanceof ApiError && error.code),
  }),
)
