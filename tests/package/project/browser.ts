// The program of a page.
import { ApiError, createClient } from 'waggle-tasks/client'
import type config from './waggle.config.ts'

const client = createClient<typeof config>({ baseUrl: '.' })
client
  .submit('hello', { name: 'Ada' })
  .then((task) => client.waitFor(task))
  .then(
    ({ result }) => console.log(result?.greeting),
    (error) => console.error(error instanceof ApiError ? error.detail : error),
  )
