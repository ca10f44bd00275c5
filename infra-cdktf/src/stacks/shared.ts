// The stack that all environments of an account share: state, images, roles of the workflows, budget. A
// person applies it; the workflows cannot change it.
import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget/index.js'
import { TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import type { Account, Config } from '../config/schema.ts'
import { createRegistry } from '../constructs/delivery/registry.ts'
import { createStateBucket } from '../constructs/delivery/state-bucket.ts'
import { createGithubRoles, type Domains } from '../constructs/github/github-roles.ts'
import { createBoundary } from '../constructs/identity/boundary.ts'
import { ENVIRONMENTS, PROJECT, SHARED_STACK } from '../names.ts'
import { configureAws, type State } from './aws.ts'

export function createSharedStack(
  scope: Construct,
  account: Account,
  { state, target, domains }: { state: State; target: Config['target']; domains: Domains },
): TerraformStack {
  const stack = new TerraformStack(scope, SHARED_STACK)
  configureAws(stack, { account, target, environment: SHARED_STACK, state })
  createStateBucket(stack, account)
  createRegistry(stack)
  for (const environment of ENVIRONMENTS) createBoundary(stack, account, environment)
  createGithubRoles(stack, account, domains)
  if (account.monthlyBudgetUsd !== undefined) createBudget(stack, account, account.monthlyBudgetUsd)
  return stack
}

/** Sends a mail when the forecast or the actual cost of the month exceeds the budget. */
function createBudget(scope: Construct, { id, email }: Account, limitUsd: number): void {
  new BudgetsBudget(scope, 'budget', {
    accountId: id,
    name: PROJECT,
    budgetType: 'COST',
    timeUnit: 'MONTHLY',
    limitAmount: String(limitUsd),
    limitUnit: 'USD',
    notification: (['FORECASTED', 'ACTUAL'] as const).map((notificationType) => ({
      notificationType,
      comparisonOperator: 'GREATER_THAN',
      threshold: 100,
      thresholdType: 'PERCENTAGE',
      subscriberEmailAddresses: [email],
    })),
  })
}
