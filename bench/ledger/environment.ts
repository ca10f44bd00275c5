// Describes the machine and the server on which the figures were measured.
import { describeMachine } from '../machine.ts'
import type { Stores } from '../stores.ts'
import { withClient } from './flood.ts'

// The settings of PostgreSQL on which the figures depend most.
const SETTINGS = [
  'fsync',
  'synchronous_commit',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'autovacuum_naptime',
]

/** Describes the machine, the versions and the settings of PostgreSQL in one line. */
export async function describeEnvironment(stores: Stores): Promise<string> {
  const store = await stores.open('settings')
  try {
    return await withClient(store, async (client) => {
      const { rows } = await client.query<{ text: string }>(
        `select name || ' ' || current_setting(name) as text from unnest($1::text[]) as name`,
        [SETTINGS],
      )
      const machine = describeMachine({ postgres: stores.postgresVersion, redis: store.redisVersion })
      return `${machine}; ${rows.map(({ text }) => text).join(', ')}`
    })
  } finally {
    await store.close()
  }
}
