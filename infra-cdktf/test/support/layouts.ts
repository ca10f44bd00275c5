// The layouts that must work in every environment, and their Terraform as objects.
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { account } from '../../src/config/account.ts'
import { environments } from '../../src/config/environments.ts'
import {
  type Config,
  type EnvironmentInput,
  parseAccount,
  parseEnvironment,
} from '../../src/config/schema.ts'
import { ENVIRONMENTS, type Environment } from '../../src/names.ts'
import { synthesize } from '../../src/synthesize.ts'

const domain = { name: 'waggle.example.com', zoneId: 'Z0123456789ABC' }

export const layouts = {
  single: environments.prod,
  multi: environments.staging,
  /** Everything that can be chosen beyond that. */
  high: {
    ...environments.staging,
    availability: 'high',
    ingress: 'alb',
    egress: 'nat-gateway',
    domain,
    hosts: { instanceType: 't4g.small', architecture: 'arm64', rootGb: 20 },
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

/** Terraform's JSON: as loose as Terraform takes it. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into it at will
export type Json = any

/** Synthesizes; both stacks lie below the folder. */
export function synthesizeOne(config: Config): { folder: string; environment: Json; shared: Json } {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-infra-'))
  synthesize([config], { state: 'local', folder })
  const stack = (name: string) =>
    JSON.parse(readFileSync(join(folder, 'stacks', name, 'cdk.tf.json'), 'utf8'))
  return { folder, environment: stack(config.name), shared: stack('shared') }
}
