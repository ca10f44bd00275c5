// The project of the screenshots: the sample project, and a task with limits.
import { defineConfig } from 'waggle-tasks'
import sample from '../../waggle.config.ts'
import { syncCustomer } from '../recipes/sync-customer.ts'

export default defineConfig({ ...sample, tasks: [...sample.tasks, syncCustomer] })
