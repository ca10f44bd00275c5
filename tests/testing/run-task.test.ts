// `runTask` of `waggle-tasks/testing`: runs one task without a server.
import { expect, test } from 'vitest'
import { defineTask, PermanentError } from 'waggle-tasks'
import { runTask } from 'waggle-tasks/testing'
import { z } from 'zod'
import { email } from '../../tasks/email.ts'
import { reverse } from '../../tasks/reverse.ts'

const steps = defineTask({
  name: 'steps',
  title: 'Steps',
  description: 'Reports and logs.',
  input: z.object({ count: z.number().min(1), unit: z.string().default('step') }),
  output: z.object({ text: z.string().max(20) }),
  example: { count: 1, unit: 'step' },
  async run({ count, unit }, { id, attempt, signal, progress, log }) {
    signal.throwIfAborted()
    progress(0.5, 'half')
    progress(7)
    log('done', { count })
    log('really')
    return { text: `${count} ${unit} ${attempt} ${id}` }
  },
})

test('resolves with the result, the progress and the log lines, in order', async () => {
  expect(await runTask(steps, { count: 2 }, { id: 'a', attempt: 3 })).toEqual({
    result: { text: '2 step 3 a' },
    progress: [{ fraction: 0.5, message: 'half' }, { fraction: 1 }],
    logs: [{ message: 'done', fields: { count: 2 } }, { message: 'really' }],
  })
})

test('infers the types of input and result', async () => {
  const { result } = await runTask(reverse, { text: 'Waggle' })
  const text: string = result.text
  expect(text).toBe('elggaW')
  // @ts-expect-error the input has another member
  await expect(runTask(reverse, { words: 'x' })).rejects.toThrow('#/input/text')
})

test('rejects with the error object that the task has thrown', async () => {
  const thrown = new PermanentError('no')
  const failing = { ...reverse, run: () => Promise.reject(thrown) }
  await expect(runTask(failing, { text: 'x' })).rejects.toBe(thrown)
})

test('rejects an invalid input before the task runs', async () => {
  await expect(runTask(steps, { count: 0 }, { id: 'a' })).rejects.toThrow(
    /^Task "steps": the input is not valid: #\/input\/count: /,
  )
})

test('rejects a result that the output schema refuses', async () => {
  await expect(runTask(steps, { count: 1, unit: 'x'.repeat(30) })).rejects.toThrow(
    /^Task "steps": the result is not valid: #\/result\/text: /,
  )
})

test('rejects a result that cannot be stored', async () => {
  const circular = { ...steps, output: z.any(), run: async () => LOOP }
  await expect(runTask(circular, { count: 1 })).rejects.toThrow(
    /^Task "steps": the result cannot be stored as JSON: /,
  )
})

const LOOP: Record<string, unknown> = {}
LOOP.self = LOOP

test('passes the AbortSignal', async () => {
  const reason = new Error('stop')
  await expect(runTask(steps, { count: 1 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

const MAIL = { recipient: 'ada@example.com', subject: 'Hi', body: 'Hello' }

test('passes the given services', async () => {
  const sent: unknown[] = []
  const sendMail = async (mail: unknown) => {
    sent.push(mail)
    return { messageId: '<1@test>' }
  }
  const { result } = await runTask(email, MAIL, { services: { sendMail } })
  expect(result.message_id).toBe('<1@test>')
  expect(sent).toEqual([{ to: 'ada@example.com', subject: 'Hi', text: 'Hello' }])
})

test('names the service that the test does not give', async () => {
  await expect(runTask(email, MAIL)).rejects.toThrow(
    'Task "email" uses the service "sendMail", which this test does not give: add it to `services`',
  )
})
