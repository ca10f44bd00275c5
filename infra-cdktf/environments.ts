// The environments. Edit this file and plan again to change the layout of an environment.
import type { EnvironmentInput, Environments } from './src/run.ts'

/** One host runs everything except the database, which is on RDS. */
const single = {
  topology: 'single',
  hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 30 },
} satisfies Partial<EnvironmentInput>

/** Each host has one role: api-1, worker-1, worker-2, redis. */
const multi = {
  topology: 'multi',
  hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 20, byRole: { redis: 't4g.micro' } },
  workers: { count: 2, concurrency: 20 },
} satisfies Partial<EnvironmentInput>

export const environments = {
  dev: { ...single, vpcCidr: '10.10.0.0/16', database: { deletionProtection: false } },
  staging: { ...multi, vpcCidr: '10.20.0.0/16' },
  prod: { ...single, vpcCidr: '10.30.0.0/16' },
} satisfies Environments
