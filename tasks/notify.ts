import { defineTask } from 'waggle-tasks'
import { z } from 'zod'
import { emailAddress } from '../services/mail.ts'

export const notify = defineTask({
  name: 'notify',
  title: 'Send a notification',
  description: 'Sends a short notification to an e-mail address.',
  input: z.object({
    email: emailAddress.meta({ title: 'E-mail address', description: 'The recipient of the notification' }),
  }),
  output: z.object({ message: z.string(), message_id: z.string() }),
  example: { email: 'ada@example.com' },
  async run({ email }, { services, signal, progress, log }) {
    progress(0.1, 'Writing the message')
    const mail = {
      to: email,
      subject: 'Your notification',
      text: 'This is the notification you asked for.',
    }
    progress(0.5, 'Sending to the mail server')
    const { messageId } = await services.sendMail(mail, signal)
    log('Accepted by the mail server', { message_id: messageId })
    return { message: `Notification sent to ${email}`, message_id: messageId }
  },
})
