// The project's sample tasks and the delivery of mail.
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createMailer } from '../../services/mail.ts'
import { defineTask, PermanentError } from '../../src/definitions/define.ts'
import { freePort } from '../../src/embedded/child-server.ts'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
// These tasks start first and are checked last, because their steps and retry delays take seconds.
let refusedMailId = ''
let tooLargeId = ''
let division: Promise<{ done: FullTask; fractions: number[] }>
beforeAll(async () => {
  system = await startSystem()
  const mail = { recipient: 'fail@example.com', subject: 'Hello', body: 'A word' }
  refusedMailId = (await system.submit('email', mail)).id
  tooLargeId = (await system.submit('divide', { x: 1e300, y: 1e-300 })).id
  division = recordProgress((await system.submit('divide', { x: 10, y: 4 })).id)
})
afterAll(() => system.stop())

describe.concurrent('reverse', () => {
  test.each([
    ['Waggle', 'elggaW'],
    ['x', 'x'],
    [' a b ', ' b a '],
    ['grüße', 'eßürg'],
    ['e\u0301a', 'ae\u0301'],
    ['a👩‍👩‍👧‍👦b', 'b👩‍👩‍👧‍👦a'],
    ['🇩🇪🇫🇷', '🇫🇷🇩🇪'],
    ['👍🏽👋', '👋👍🏽'],
    ['각힣', '힣각'],
    ['1\r\n2', '2\r\n1'],
    ['\u0000a', 'a\u0000'],
  ])('%j becomes %j', async (text, reversed) => {
    const done = await runToEnd('reverse', { text })
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { text: reversed } })
  })
})

describe.concurrent('sentiment', () => {
  test.each([
    ['good', 'positive', ['good'], []],
    ['GOOD!', 'positive', ['good'], []],
    ['What a terrible, awful day', 'negative', [], ['awful', 'terrible']],
    ['not good', 'negative', [], ['good']],
    ['The table has four legs', 'neutral', [], []],
    ['constructor toString __proto__ hasOwnProperty', 'neutral', [], []],
    ['42 …', 'neutral', [], []],
  ])('"%s" is %s', async (text, label, positive, negative) => {
    const { status, result } = await runToEnd('sentiment', { text })
    const { score } = result as { score: number }
    expect(status).toBe('SUCCESS')
    expect(result).toEqual({ label, score, positive_words: positive, negative_words: negative })
    expect(['negative', 'neutral', 'positive'].indexOf(label) - 1).toBe(Math.sign(score))
  })
})

describe('divide', () => {
  test('by 0 fails without a retry, and the message contains the reason', async () => {
    expect(await runToEnd('divide', { x: 1, y: 0 })).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      failures: 1,
      result: null,
      error: { name: 'PermanentError', message: 'Task "divide": y must not be 0', retryable: false },
      attempts: [{ attempt: 1 }],
    })
  })
})

describe.concurrent('without a mail server', () => {
  test.each([
    ['notify', { email: 'ada@example.com' }, 'Notification sent to ada@example.com'],
    ['email', { recipient: 'bob@example.com', subject: 'x', body: 'y' }, 'E-mail sent to bob@example.com'],
  ])('%s simulates the delivery', async (name, input, message) => {
    expect(await runToEnd(name, input)).toMatchObject({
      status: 'SUCCESS',
      attempt: 1,
      result: { message, message_id: expect.stringMatching(/^<.+@simulated\.invalid>$/) },
    })
  })
})

describe.concurrent('with a mail server', () => {
  const smtp = startMailServer()
  let systemWithMail: TestSystem
  let early: FullTask
  beforeAll(async () => {
    const port = await freePort()
    systemWithMail = await startSystem({ smtpUrl: `smtp://127.0.0.1:${port}` })
    const { id } = await systemWithMail.submit('notify', { email: 'early@example.com' })
    early = await systemWithMail.taskWhen(id, ({ failures }) => failures > 0)
    await smtp.listen(port)
  })
  afterAll(() => Promise.all([systemWithMail.stop(), smtp.stop()]))

  test('email delivers subject and body, with the Message-ID of its result', async () => {
    const mail = { recipient: 'bob@example.com', subject: 'Greetings', body: 'First line\n.\nGrüße' }
    const done = await runToEnd('email', mail, systemWithMail)
    const [delivered, ...others] = smtp.deliveredTo('bob@example.com')
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(others).toEqual([])
    expect(delivered).toMatch(/^From: Waggle <waggle@example\.com>\r$/m)
    expect(delivered).toMatch(/^To: bob@example\.com\r$/m)
    expect(delivered).toMatch(/^Subject: Greetings\r$/m)
    expect(delivered).toContain(`Message-ID: ${(done.result as { message_id: string }).message_id}`)
    expect(delivered).toContain('First line\r\n.\r\nGr=C3=BC=C3=9Fe')
  })

  test('a line break in a subject adds no header and no recipient', async () => {
    const subject = 'Hello\r\nBcc: eve@example.com\r\n\r\nAnother body'
    await runToEnd('email', { recipient: 'carol@example.com', subject, body: 'The body' }, systemWithMail)
    const [delivered = ''] = smtp.deliveredTo('carol@example.com')
    expect(delivered.split('\r\n\r\n')[0]).not.toMatch(/^bcc:/im)
    expect(delivered.split('\r\n\r\n')[1]).toMatch(/^The body/)
    expect(smtp.deliveredTo('eve@example.com')).toEqual([])
  })

  test('notify delivers its notification', async () => {
    expect(await runToEnd('notify', { email: 'dan@example.com' }, systemWithMail)).toMatchObject({
      status: 'SUCCESS',
    })
    expect(smtp.deliveredTo('dan@example.com')).toHaveLength(1)
  })

  test.each([
    ['at the recipient', 'busy', '451'],
    ['after the message', 'full', '452'],
  ])('a temporary rejection (4xx) %s is retried', async (_when, user, code) => {
    expect(await runToEnd('notify', { email: `${user}@example.com` }, systemWithMail)).toMatchObject({
      status: 'SUCCESS',
      attempt: 2,
      failures: 1,
      attempts: [{ attempt: 1, error: { message: expect.stringContaining(code), retryable: true } }],
    })
    expect(smtp.deliveredTo(`${user}@example.com`)).toHaveLength(1)
  })

  test.each([
    ['at the recipient', 'unknown', '550 No such user'],
    ['after the message', 'spam', '554 Looks like spam'],
  ])('a permanent rejection (5xx) %s fails the task without a retry', async (_when, user, reply) => {
    expect(await runToEnd('notify', { email: `${user}@example.com` }, systemWithMail)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { name: 'PermanentError', message: expect.stringContaining(reply), retryable: false },
    })
    expect(smtp.deliveredTo(`${user}@example.com`)).toEqual([])
  })

  test('a rejected login is retryable, because its cause can be corrected', async () => {
    const send = createMailer(smtp.urlWith('user:wrong'), 'waggle@example.com')
    const mail = { to: 'ada@example.com', subject: 'x', text: 'y' }
    const error = await send(mail, new AbortController().signal).catch((error: unknown) => error)
    expect(error).toMatchObject({ responseCode: 535 })
    expect(error).not.toBeInstanceOf(PermanentError)
  })

  test('mail is retried while the server is down and delivered when it is available again', async () => {
    expect(early).toMatchObject({
      error: { message: expect.stringContaining('ECONNREFUSED'), retryable: true },
    })
    expect(await systemWithMail.taskWhenFinal(early.id)).toMatchObject({ status: 'SUCCESS' })
    expect(smtp.deliveredTo('early@example.com')).toHaveLength(1)
  })
})

describe.concurrent('a task of a project', () => {
  const reporting = defineTask({
    name: 'reporting',
    title: 'Reporting',
    description: 'Reports its progress with the given message and runs until it is aborted.',
    input: z.object({ message: z.string() }),
    output: z.object({}),
    example: { message: '' },
    run: ({ message }, { progress, signal }) =>
      new Promise((_resolve, reject) => {
        progress(0.5, message)
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })

  test.each(['a\u0000b', 'a\ud800b', `${'a'.repeat(499)}😀`])(
    'can report %j as progress without a failure of the heartbeat',
    async (message) => {
      const other = await startSystem({ definitions: [reporting] })
      const { id } = await other.submit('reporting', { message })
      const heartbeatErrors = () =>
        other.emitted('error.transient').filter(({ where }) => where === 'heartbeat')
      await until(
        () => other.task(id),
        ({ progress }) => progress.fraction > 0 || heartbeatErrors().length > 0,
      )
      const found = heartbeatErrors()
      await other.stop()
      expect(found).toEqual([])
    },
  )
})

describe('tasks with steps and retry delays', () => {
  test('divide reports its progress, and 10 / 4 is 2.5', async () => {
    const { done, fractions } = await division
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { quotient: 2.5 } })
    expect(done.progress).toEqual({ fraction: 1, message: null })
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(fractions.filter((fraction) => fraction > 0 && fraction < 1).length).toBeGreaterThanOrEqual(2)
  })

  test('divide fails when the quotient is too large for a JSON number', async () => {
    expect(await system.taskWhenFinal(tooLargeId)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { message: 'Task "divide": the quotient is too large for a number', retryable: false },
    })
  })

  test('email to an address that always fails has four attempts with increasing delays', async () => {
    const done = await system.taskWhenFinal(refusedMailId)
    const error = {
      message: 'Simulated mail server: recipient fail@example.com was refused',
      retryable: true,
    }
    expect(done).toMatchObject({
      status: 'FAILURE',
      attempt: 4,
      failures: 4,
      max_retries: 3,
      result: null,
      error,
    })
    expect(done.attempts).toMatchObject([1, 2, 3, 4].map((attempt) => ({ attempt, error })))

    const finishes = system.emitted('task.finished').filter(({ taskId }) => taskId === refusedMailId)
    expect(finishes.map(({ status }) => status)).toEqual(['RETRY', 'RETRY', 'RETRY', 'FAILURE'])
    const pauses = finishes.slice(0, 3).map(({ delayMs = -1 }) => delayMs)
    // Each delay lies in its own range, and each range is at least as long as the one before.
    const steps = [
      [0, 1_000],
      [1_000, 2_000],
      [2_000, 4_000],
    ]
    const isInStep = pauses.map((ms, index) =>
      steps[index]?.every((edge, at) => (at === 0 ? ms >= edge : ms <= edge)),
    )
    expect({ pauses, isInStep }).toMatchObject({ isInStep: [true, true, true] })
    for (const [index, pauseMs] of pauses.entries()) {
      const endedAt = Date.parse(done.attempts[index]?.ended_at ?? '')
      const startedAt = Date.parse(done.attempts[index + 1]?.started_at ?? '')
      // Postgres rounds each of the two timestamps to a millisecond.
      expect(startedAt - endedAt).toBeGreaterThanOrEqual(pauseMs - 2)
    }
  })
})

async function runToEnd(name: string, input: unknown, where = system): Promise<FullTask> {
  return where.taskWhenFinal((await where.submit(name, input)).id)
}

/** Follows a task until it has finished and records the progress values. */
async function recordProgress(id: string): Promise<{ done: FullTask; fractions: number[] }> {
  const fractions = new Set<number>()
  const done = await system.taskWhen(id, ({ progress, is_final: isFinal }) => {
    fractions.add(progress.fraction)
    return isFinal
  })
  return { done, fractions: [...fractions] }
}

/** Starts a real SMTP server that stores messages and rejects some recipients, the first time or always. */
function startMailServer() {
  const delivered: { to: string[]; message: string }[] = []
  const rejectedOnce = new Set<string>()
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: (_auth, _session, done) => done(rejection(535, 'Wrong password')),
    onRcptTo: ({ address }, _session, done) => {
      if (address.startsWith('unknown@')) return done(rejection(550, 'No such user'))
      done(address.startsWith('busy@') && isFirst(address) ? rejection(451, 'Busy, try again') : null)
    },
    async onData(stream, { envelope }, done) {
      const message = await textOf(stream)
      const to = envelope.rcptTo.map(({ address }) => address)
      if (to[0]?.startsWith('spam@')) return done(rejection(554, 'Looks like spam'))
      if (to[0]?.startsWith('full@') && isFirst(to[0])) return done(rejection(452, 'Mailbox full'))
      delivered.push({ to, message })
      done()
    },
  })
  server.on('error', () => {})
  let port = 0
  return {
    async listen(at: number) {
      port = at
      server.listen(port, '127.0.0.1')
      await once(server.server, 'listening')
    },
    urlWith: (login: string) => `smtp://${login}@127.0.0.1:${port}`,
    deliveredTo: (address: string) =>
      delivered.filter(({ to }) => to.includes(address)).map(({ message }) => message),
    stop: () => new Promise<void>((resolve) => server.close(resolve)),
  }

  function isFirst(address: string): boolean {
    return !rejectedOnce.has(address) && rejectedOnce.add(address).size > 0
  }

  function rejection(responseCode: number, message: string): Error {
    return Object.assign(new Error(message), { responseCode })
  }
}
