// The fifty rules that every stack keeps, in the order in which they were written down. `synth` and `plan` check them.
import type { Config } from '../config/schema.ts'
import { databaseRules } from './database-rules.ts'
import { hostRules, scalingRules } from './host-rules.ts'
import { identityRules, secretRules } from './identity-rules.ts'
import { networkRules } from './network-rules.ts'
import type { Rule } from './rule.ts'
import { balancerRules, cacheRules, imageRules, stateRules, watchingRules } from './service-rules.ts'
import type { Stack } from './stack.ts'

export const rules: Rule[] = [
  ...hostRules,
  ...networkRules,
  ...databaseRules,
  ...imageRules,
  ...watchingRules,
  ...identityRules,
  ...secretRules,
  ...balancerRules,
  ...scalingRules,
  ...cacheRules,
  ...stateRules,
]

/** What a stack does wrong, a line each. */
export function findingsIn(stack: Stack, config: Config): string[] {
  return rules.flatMap(({ name, find }) =>
    find(stack, config).map((where) => `${where}: not true that ${name}`),
  )
}
