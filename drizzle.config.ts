import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: [
    './src/store/schema.ts',
    './src/store/held/schema.ts',
    './src/store/schedule-tables.ts',
    './src/store/unique/schema.ts',
  ],
  out: './migrations',
})
