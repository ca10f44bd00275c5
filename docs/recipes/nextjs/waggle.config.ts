import { defineConfig } from 'waggle-tasks'
import { makeReport } from './tasks/make-report.ts'

export default defineConfig({ tasks: [makeReport] })
