// The fifty rules for every stack. All commands check them. docs/deploy.md refers to rules by their position.
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

/** Returns one line for each violation in a stack. */
export function findingsIn(stack: Stack, config: Config): string[] {
  return rules.flatMap(({ name, find }) =>
    find(stack, config).map((address) => `${address} violates the rule "${name}"`),
  )
}
