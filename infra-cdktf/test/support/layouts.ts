// The layouts that must work in every environment, and functions that synthesize them.
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AccountInput,
  type Config,
  type EnvironmentInput,
  parseAccount,
  parseEnvironment,
} from '../../src/config/schema.ts'
import { ENVIRONMENTS, type Environment } from '../../src/names.ts'
import { synthesize } from '../../src/synthesize.ts'

/** An account for tests: users edit account.ts. */
export const account: AccountInput = {
  id: '123456789012',
  region: 'eu-central-1',
  github: { owner: 'octo-org', ownerId: 123456, repository: 'waggle', repositoryId: 987654 },
  monthlyBudgetUsd: 60,
  email: 'you@example.com',
}

const hosts = { instanceType: 't4g.small', architecture: 'arm64', rootGb: 20 } as const

export const layouts = {
  /** One host runs everything except the database. */
  single: { topology: 'single', vpcCidr: '10.30.0.0/16', hosts },
  /** One role per host. */
  multi: {
    topology: 'multi',
    vpcCidr: '10.20.0.0/16',
    hosts: { ...hosts, byRole: { redis: 't4g.micro' } },
    workers: { count: 2, concurrency: 20 },
  },
  /** All other options. */
  high: {
    topology: 'multi',
    availability: 'high',
    vpcCidr: '10.40.0.0/16',
    ingress: 'alb',
    egress: 'nat-gateway',
    domain: { name: 'waggle.example.com', zoneId: 'Z0123456789ABC' },
    hosts,
    api: { count: 2 },
    workers: { count: 2, concurrency: 20, scaling: { min: 2, max: 6, backlogPerHost: 200 } },
    cache: { kind: 'elasticache', nodeType: 'cache.t4g.micro' },
    kms: 'cmk',
  },
} satisfies Record<string, EnvironmentInput>

export type Layout = keyof typeof layouts
export const LAYOUTS = Object.keys(layouts) as Layout[] // the keys of a literal

export const everyCase = ENVIRONMENTS.flatMap((name) => LAYOUTS.map((layout) => ({ name, layout })))

export function configOf(name: Environment, layout: Layout, change: Partial<EnvironmentInput> = {}): Config {
  return parseEnvironment(name, { ...layouts[layout], ...change }, parseAccount(account))
}

/** Terraform JSON, without types. */
// biome-ignore lint/suspicious/noExplicitAny: tests read and change arbitrary fields
export type Json = any

/** Synthesizes the shared stack and one environment into a new temporary folder, which the caller removes. */
export function synthesizeOne(config: Config): { folder: string; environment: Json; shared: Json } {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-infra-'))
  synthesize([config], { state: 'local', folder })
  const stack = (name: string) =>
    JSON.parse(readFileSync(join(folder, 'stacks', name, 'cdk.tf.json'), 'utf8'))
  return { folder, environment: stack(config.name), shared: stack('shared') }
}
