// Rules that every stack must meet. All commands check them before they plan. They concern several resources
// at once, or limits that depend on the configuration; checkov checks the settings of single resources.
import type { Config } from '../config/schema.ts'
import { dataRules } from './data-rules.ts'
import { identityRules } from './identity-rules.ts'
import { networkRules } from './network-rules.ts'
import type { Rule } from './rule.ts'
import type { Stack } from './stack.ts'

export const rules: Rule[] = [...networkRules, ...dataRules, ...identityRules]

/** Returns one line for each violation in a stack. */
export function findingsIn(stack: Stack, config: Config): string[] {
  return rules.flatMap(({ name, find }) =>
    find(stack, config).map((address) => `${address} violates the rule "${name}"`),
  )
}
