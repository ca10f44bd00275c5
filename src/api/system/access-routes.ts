// GET /v1/access: returns the name of the caller's API key and its scopes.
import { Hono } from 'hono'
import type { z } from 'zod'
import { SCOPES } from '../../config.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { systemOperations as operations } from './system-operations.ts'
import type { access } from './system-schemas.ts'

export function createAccessRoutes({ admit }: ApiDependencies) {
  return new Hono<ApiEnv>().get('/v1/access', admit(operations.get_access), (c) => {
    const apiKey = c.get('apiKey')
    const body: z.infer<typeof access> = {
      key: apiKey?.name ?? null,
      scopes: apiKey ? apiKey.scopes : [...SCOPES],
    }
    c.header('Cache-Control', 'private, no-store')
    return c.json(body)
  })
}
