// Sends e-mail by SMTP if a mail server is configured; otherwise simulates the delivery.
import { setTimeout as pause } from 'node:timers/promises'
import { createTransport } from 'nodemailer'
import { PermanentError } from 'waggle-tasks'
import { z } from 'zod'

export interface Mail {
  to: string
  subject: string
  text: string
}

// Pattern of an e-mail address: the one of browsers (HTML, 4.10.5.1.5), but the domain must contain a dot,
// because `ada@nowhere` is most likely a typing mistake.
const ADDRESS = new RegExp(z.regexes.html5Email.source.replace(/\*\$$/, '+$'))

/** An e-mail address of at most 254 characters, the longest that SMTP can transport (RFC 5321, 4.5.3.1.3). */
export const emailAddress = z.email({ pattern: ADDRESS, error: 'must be an e-mail address' }).max(254)

/** Sends a mail. Resolves with its message id when the mail server has accepted it, and rejects otherwise. */
export type SendMail = (mail: Mail, signal: AbortSignal) => Promise<{ messageId: string }>

/**
 * Creates the function that sends mails.
 * @param smtpUrl `smtp://user:password@host:587` or `smtps://…`; if undefined, sending is only simulated
 */
export function createMailer(smtpUrl: string | undefined, from: string): SendMail {
  return smtpUrl ? smtpMailer(smtpUrl, from) : simulatedMailer()
}

function smtpMailer(smtpUrl: string, from: string): SendMail {
  // Sets short timeouts, because the defaults of nodemailer are up to ten minutes, and an unresponsive server
  // would occupy a worker slot for that time.
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
      throw isPermanentRefusal(error) ? new PermanentError(refusalOf(error), { cause: error }) : error
    }
  }
}

/**
 * Checks whether the mail server has refused a mail permanently. After a reply of 5yz, the same request must
 * not be repeated (RFC 5321, 4.2.1).
 */
function isPermanentRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0
  // Replies 530 and 535 are retried: they mean that the login to the mail server failed, and an operator may
  // fix the login before the next attempt.
  return code >= 500 && code < 600 && code !== 530 && code !== 535
}

function refusalOf(error: unknown): string {
  return `The mail server refused the message: ${error instanceof Error ? error.message : error}`
}

// Duration of a simulated delivery: long enough for a person to see the task in STARTED on the page.
const SIMULATED_SENDING_MS = 1_000

function simulatedMailer(): SendMail {
  return async (mail, signal) => {
    if (mail.to.includes('fail')) throw new Error(`Simulated mail server: recipient ${mail.to} was refused`)
    await pause(SIMULATED_SENDING_MS, undefined, { signal })
    return { messageId: `<${crypto.randomUUID()}@simulated.invalid>` }
  }
}
