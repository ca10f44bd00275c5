// How mail leaves: by SMTP where a server is configured, pretended otherwise.
import { createTransport } from 'nodemailer'
import { z } from 'zod'
import { pause } from '../base/loop.ts'
import { PermanentError } from '../definitions/define.ts'

export interface Mail {
  to: string
  subject: string
  text: string
}

// What browsers take for an address (HTML, 4.10.5.1.5), but with a dot behind the @: `ada@nowhere` is a slip.
const ADDRESS = new RegExp(z.regexes.html5Email.source.replace(/\*\$$/, '+$'))

/** At most 254 characters, which is all that SMTP can carry (RFC 5321, 4.5.3.1.3). */
export const emailAddress = z.email({ pattern: ADDRESS, error: 'must be an e-mail address' }).max(254)

/** Resolves with the message id once the mail was accepted for delivery; rejects when it was refused. */
export type SendMail = (mail: Mail, signal: AbortSignal) => Promise<{ messageId: string }>

/** @param smtpUrl `smtp://user:password@host:587` or `smtps://…`; undefined pretends to send */
export function createMailer(smtpUrl: string | undefined, from: string): SendMail {
  return smtpUrl ? smtpMailer(smtpUrl, from) : simulatedMailer()
}

function smtpMailer(smtpUrl: string, from: string): SendMail {
  // A server that does not answer must not hold a slot for nodemailer's own ten minutes.
  const transport = createTransport(
    { url: smtpUrl, connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 },
    { from },
  )
  return async (mail, signal) => {
    signal.throwIfAborted()
    try {
      const { messageId } = await transport.sendMail(mail)
      return { messageId }
    } catch (error) {
      throw isRefusedForGood(error) ? new PermanentError(refusalOf(error), { cause: error }) : error
    }
  }
}

/** RFC 5321, 4.2.1: replies of 5yz are permanent, the same request must not be repeated. */
function isRefusedForGood(error: unknown): boolean {
  const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0
  // 530 and 535 speak of our own login, which may be mended while the task waits.
  return code >= 500 && code < 600 && code !== 530 && code !== 535
}

function refusalOf(error: unknown): string {
  return `The mail server refused the message: ${error instanceof Error ? error.message : error}`
}

// Long enough for a person to see it run.
const SIMULATED_SENDING_MS = 1_000

function simulatedMailer(): SendMail {
  return async (mail, signal) => {
    if (mail.to.includes('fail')) throw new Error(`Simulated mail server: recipient ${mail.to} was refused`)
    await pause(SIMULATED_SENDING_MS, signal)
    signal.throwIfAborted()
    return { messageId: `<${crypto.randomUUID()}@simulated.invalid>` }
  }
}
