// The environments. From one layout to the next is a change here, and a plan.
import type { Environment } from '../names.ts'
import type { EnvironmentInput } from './schema.ts'

/** Everything on one host, and RDS. */
const single = {
  topology: 'single',
  hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 30 },
} satisfies Partial<EnvironmentInput>

/** One role per host: api-1, worker-1, worker-2, redis. */
const multi = {
  topology: 'multi',
  hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 20, byRole: { redis: 't4g.micro' } },
  workers: { count: 2, concurrency: 20 },
} satisfies Partial<EnvironmentInput>

export const environments = {
  dev: { ...single, vpcCidr: '10.10.0.0/16', database: { deletionProtection: false } },
  staging: { ...multi, vpcCidr: '10.20.0.0/16' },
  prod: { ...single, vpcCidr: '10.30.0.0/16' },
} satisfies Record<Environment, EnvironmentInput>
