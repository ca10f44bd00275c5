// The tasks that the project comes with, and how mail leaves.
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, PermanentError } from '../../src/definitions/define.ts'
import { freePort } from '../../src/embedded/child-server.ts'
import { createMailer } from '../../src/tasks/mail.ts'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
// Begun first and looked at last: their steps and pauses take seconds.
let refusedMailId = ''
let tooLargeId = ''
let division: Promise<{ done: FullTask; fractions: number[] }>
beforeAll(async () => {
  system = await startSystem()
  const mail = { recipient: 'fail@example.com', subject: 'Hello', body: 'A word' }
  refusedMailId = (await system.submit('email', mail)).id
  tooLargeId = (await system.submit('divide', { x: 1e300, y: 1e-300 })).id
  division = watched((await system.submit('divide', { x: 10, y: 4 })).id)
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
    const done = await ended('reverse', { text })
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
    const { status, result } = await ended('sentiment', { text })
    const { score } = result as { score: number }
    expect(status).toBe('SUCCESS')
    expect(result).toEqual({ label, score, positive_words: positive, negative_words: negative })
    expect(['negative', 'neutral', 'positive'].indexOf(label) - 1).toBe(Math.sign(score))
  })
})

describe('divide', () => {
  test('by 0 fails at once, with a message that says why', async () => {
    expect(await ended('divide', { x: 1, y: 0 })).toMatchObject({
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
  ])('%s pretends to send', async (name, input, message) => {
    expect(await ended(name, input)).toMatchObject({
      status: 'SUCCESS',
      attempt: 1,
      result: { message, message_id: expect.stringMatching(/^<.+@simulated\.invalid>$/) },
    })
  })
})

describe.concurrent('with a mail server', () => {
  const smtp = startMailServer()
  let mailing: TestSystem
  let early: FullTask
  beforeAll(async () => {
    const port = await freePort()
    mailing = await startSystem({ smtpUrl: `smtp://127.0.0.1:${port}` })
    const { id } = await mailing.submit('notify', { email: 'early@example.com' })
    early = await mailing.taskWhen(id, ({ failures }) => failures > 0)
    await smtp.listen(port)
  })
  afterAll(() => Promise.all([mailing.stop(), smtp.stop()]))

  test('email delivers what it was given, under the id in its result', async () => {
    const mail = { recipient: 'bob@example.com', subject: 'Greetings', body: 'First line\n.\nGrüße' }
    const done = await ended('email', mail, mailing)
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
    await ended('email', { recipient: 'carol@example.com', subject, body: 'The body' }, mailing)
    const [delivered = ''] = smtp.deliveredTo('carol@example.com')
    expect(delivered.split('\r\n\r\n')[0]).not.toMatch(/^bcc:/im)
    expect(delivered.split('\r\n\r\n')[1]).toMatch(/^The body/)
    expect(smtp.deliveredTo('eve@example.com')).toEqual([])
  })

  test('notify delivers its notification', async () => {
    expect(await ended('notify', { email: 'dan@example.com' }, mailing)).toMatchObject({ status: 'SUCCESS' })
    expect(smtp.deliveredTo('dan@example.com')).toHaveLength(1)
  })

  test.each([
    ['at the recipient', 'busy', '451'],
    ['after the message', 'full', '452'],
  ])('a passing refusal (4xx) %s is tried again', async (_when, who, code) => {
    expect(await ended('notify', { email: `${who}@example.com` }, mailing)).toMatchObject({
      status: 'SUCCESS',
      attempt: 2,
      failures: 1,
      attempts: [{ attempt: 1, error: { message: expect.stringContaining(code), retryable: true } }],
    })
    expect(smtp.deliveredTo(`${who}@example.com`)).toHaveLength(1)
  })

  test.each([
    ['at the recipient', 'nobody', '550 No such user'],
    ['after the message', 'spam', '554 SharedQueries like spam'],
  ])('a final refusal (5xx) %s is the end', async (_when, who, reply) => {
    expect(await ended('notify', { email: `${who}@example.com` }, mailing)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { name: 'PermanentError', message: expect.stringContaining(reply), retryable: false },
    })
    expect(smtp.deliveredTo(`${who}@example.com`)).toEqual([])
  })

  test('a refused login may be mended: it is not final', async () => {
    const send = createMailer(smtp.urlWith('user:wrong'), 'waggle@example.com')
    const mail = { to: 'ada@example.com', subject: 'x', text: 'y' }
    const error = await send(mail, new AbortController().signal).catch((error: unknown) => error)
    expect(error).toMatchObject({ responseCode: 535 })
    expect(error).not.toBeInstanceOf(PermanentError)
  })

  test('mail for a server that was down is delivered when it is back', async () => {
    expect(early).toMatchObject({
      error: { message: expect.stringContaining('ECONNREFUSED'), retryable: true },
    })
    expect(await mailing.taskWhenFinal(early.id)).toMatchObject({ status: 'SUCCESS' })
    expect(smtp.deliveredTo('early@example.com')).toHaveLength(1)
  })
})

describe.concurrent('a task of somebody else', () => {
  const reporting = defineTask({
    name: 'reporting',
    title: 'Reporting',
    description: 'Reports its progress with the words it was given, and runs until it is aborted.',
    input: z.object({ words: z.string() }),
    output: z.object({}),
    example: { words: '' },
    run: ({ words }, { progress, signal }) =>
      new Promise((_resolve, reject) => {
        progress(0.5, words)
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  })

  test.each(['a\u0000b', 'a\ud800b', `${'a'.repeat(499)}😀`])(
    'may report %j without stopping the heart of its worker',
    async (words) => {
      const other = await startSystem({ definitions: [reporting] })
      const { id } = await other.submit('reporting', { words })
      const heartTrouble = () =>
        other.announced('error.transient').filter(({ where }) => where === 'heartbeat')
      await until(
        () => other.task(id),
        ({ progress }) => progress.fraction > 0 || heartTrouble().length > 0,
      )
      const found = heartTrouble()
      await other.stop()
      expect(found).toEqual([])
    },
  )
})

describe('what was begun first', () => {
  test('divide shows how far it is, and that 10 / 4 is 2.5', async () => {
    const { done, fractions } = await division
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { quotient: 2.5 } })
    expect(done.progress).toEqual({ fraction: 1, message: null })
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(fractions.filter((fraction) => fraction > 0 && fraction < 1).length).toBeGreaterThanOrEqual(2)
  })

  test('divide fails when the quotient is no number that JSON can hold', async () => {
    expect(await system.taskWhenFinal(tooLargeId)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { message: 'Task "divide": the quotient is too large for a number', retryable: false },
    })
  })

  test('email to an address that always fails is tried four times, with growing pauses', async () => {
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

    const finishes = system.announced('task.finished').filter(({ taskId }) => taskId === refusedMailId)
    expect(finishes.map(({ status }) => status)).toEqual(['RETRY', 'RETRY', 'RETRY', 'FAILURE'])
    const pauses = finishes.slice(0, 3).map(({ delayMs = -1 }) => delayMs)
    // Each is somewhere in a step of its own, twice as long as the one before.
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
      // Postgres rounds each of the two moments to a millisecond.
      expect(startedAt - endedAt).toBeGreaterThanOrEqual(pauseMs - 2)
    }
  })
})

async function ended(name: string, input: unknown, where = system): Promise<FullTask> {
  return where.taskWhenFinal((await where.submit(name, input)).id)
}

/** Follows a task to its end, and notes each step that it saw. */
async function watched(id: string): Promise<{ done: FullTask; fractions: number[] }> {
  const fractions = new Set<number>()
  const done = await system.taskWhen(id, ({ progress, is_final: isFinal }) => {
    fractions.add(progress.fraction)
    return isFinal
  })
  return { done, fractions: [...fractions] }
}

/** A real SMTP server that keeps what it takes, and refuses some recipients: the first time or always. */
function startMailServer() {
  const delivered: { to: string[]; message: string }[] = []
  const refusedOnce = new Set<string>()
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: (_auth, _session, done) => done(refusal(535, 'Wrong password')),
    onRcptTo: ({ address }, _session, done) => {
      if (address.startsWith('nobody@')) return done(refusal(550, 'No such user'))
      done(address.startsWith('busy@') && isFirst(address) ? refusal(451, 'Busy, try again') : null)
    },
    async onData(stream, { envelope }, done) {
      const message = await textOf(stream)
      const to = envelope.rcptTo.map(({ address }) => address)
      if (to[0]?.startsWith('spam@')) return done(refusal(554, 'SharedQueries like spam'))
      if (to[0]?.startsWith('full@') && isFirst(to[0])) return done(refusal(452, 'Mailbox full'))
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
    return !refusedOnce.has(address) && refusedOnce.add(address).size > 0
  }

  function refusal(responseCode: number, message: string): Error {
    return Object.assign(new Error(message), { responseCode })
  }
}
