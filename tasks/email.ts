import { defineTask } from 'waggle-tasks'
import { z } from 'zod'
import { emailAddress } from '../services/mail.ts'

export const email = defineTask({
  name: 'email',
  title: 'Send an e-mail',
  description: 'Sends an e-mail. Retried up to three times if the mail server does not accept it.',
  input: z.object({
    recipient: emailAddress.meta({ title: 'Recipient' }),
    subject: z.string().trim().min(1).max(200).meta({ title: 'Subject' }),
    body: z.string().min(1).max(20_000).meta({ title: 'Message', format: 'multiline' }),
  }),
  output: z.object({ message: z.string(), message_id: z.string() }),
  example: { recipient: 'someone@example.com', subject: 'Greetings', body: 'Hello from Waggle' },
  maxRetries: 3,
  async run({ recipient, subject, body }, { services, signal, progress, log, attempt }) {
    progress(0.3, attempt === 1 ? 'Sending to the mail server' : `Sending again (attempt ${attempt})`)
    log('Sending the e-mail to the mail server', { attempt, characters: body.length })
    const { messageId } = await services.sendMail({ to: recipient, subject, text: body }, signal)
    log('Accepted by the mail server', { message_id: messageId })
    return { message: `E-mail sent to ${recipient}`, message_id: messageId }
  },
})
