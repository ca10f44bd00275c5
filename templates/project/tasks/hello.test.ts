import { expect, test } from 'vitest'
import { runTask } from 'waggle-tasks/testing'
import { hello } from './hello.ts'

test('hello greets by name', async () => {
  const { result, logs } = await runTask(hello, { name: 'Ada' })
  expect(result).toEqual({ greeting: 'Hello, Ada!' })
  expect(logs).toMatchObject([{ message: 'Greeting somebody', fields: { name: 'Ada' } }])
})

test('hello refuses an empty name', async () => {
  await expect(runTask(hello, { name: '' })).rejects.toThrow()
})
