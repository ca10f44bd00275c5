import { defineConfig } from 'waggle-tasks'
import { hello } from './tasks/hello.ts'

export default defineConfig({
  tasks: [hello],
})
