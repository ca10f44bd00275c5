import 'server-only'
import { createClient } from 'waggle-tasks/client'
import type config from '../waggle.config.ts'

const baseUrl = process.env.WAGGLE_URL ?? 'http://127.0.0.1:8000'

export const waggle = createClient<typeof config>({ baseUrl, apiKey: process.env.WAGGLE_API_KEY })

/** Reads tasks with their poll tokens only: a browser sees no other tasks than its own. */
export const reader = createClient<typeof config>({ baseUrl, retryForMs: 0 })
