// What all environments of an account share: the state, the images, the roles of the workflows, the budget.
// Applied by a person; the workflows cannot change it.
import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget/index.js'
import { TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import type { Account, Config } from '../config/schema.ts'
import { createBoundary } from '../constructs/boundary.ts'
import { createGithubRoles } from '../constructs/github.ts'
import { createRegistry } from '../constructs/registry.ts'
import { createStateBucket } from '../constructs/state-bucket.ts'
import { PROJECT, SHARED_STACK } from '../names.ts'
import { type State, useAws } from './aws.ts'

export function createSharedStack(
  scope: Construct,
  account: Account,
  { state, target }: { state: State; target: Config['target'] },
): TerraformStack {
  const stack = new TerraformStack(scope, SHARED_STACK)
  useAws(stack, { account, target, environment: SHARED_STACK, state })
  createStateBucket(stack, account)
  createRegistry(stack)
  createBoundary(stack, account)
  createGithubRoles(stack, account)
  createBudget(stack, account)
  return stack
}

/** Told when the month will probably cost more than it may, and when it does. */
function createBudget(scope: Construct, { monthlyBudgetUsd, email }: Account): void {
  new BudgetsBudget(scope, 'budget', {
    name: PROJECT,
    budgetType: 'COST',
    timeUnit: 'MONTHLY',
    limitAmount: String(monthlyBudgetUsd),
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
