import { defineConfig, defineServices } from 'waggle-tasks'
import { z } from 'zod'
import { hello } from './tasks/hello.ts'
import { shout } from './tasks/shout.ts'

const services = defineServices({
  settings: z.object({ GREETING: z.string().min(1), REPEAT: z.coerce.number().default(1) }),
  open: ({ settings }) => ({
    greet: (name: string) => `${settings.GREETING}, ${name}`.repeat(settings.REPEAT),
    close() {},
  }),
})

declare module 'waggle-tasks' {
  interface Register {
    services: typeof services
  }
}

export default defineConfig({ tasks: [hello, shout], services })
