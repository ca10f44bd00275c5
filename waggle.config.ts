// The sample project of this repository: its tasks, their services, and the form endpoints.
import { defineConfig, defineServices } from 'waggle-tasks'
import { z } from 'zod'
import { createFormRoutes } from './forms/form-routes.ts'
import { createMailer } from './services/mail.ts'
import { divide } from './tasks/divide.ts'
import { email } from './tasks/email.ts'
import { notify } from './tasks/notify.ts'
import { reverse } from './tasks/reverse.ts'
import { sentiment } from './tasks/sentiment.ts'

const services = defineServices({
  settings: z.object({
    SMTP_URL: z
      .string()
      .refine((text) => /^smtps?:\/\/[^/]/.test(text) && URL.canParse(text), {
        error: 'must be a URL that begins with smtp:// or smtps://',
      })
      .optional(),
    MAIL_FROM: z.string().min(3).default('Waggle <waggle@localhost>'),
  }),
  open: ({ settings }) => ({ sendMail: createMailer(settings.SMTP_URL, settings.MAIL_FROM) }),
})

declare module 'waggle-tasks' {
  interface Register {
    services: typeof services
  }
}

export default defineConfig({
  tasks: [notify, email, reverse, sentiment, divide],
  services,
  routes: createFormRoutes,
})
