// Yours: the account, the region and the repository. docs/deploy.md says where each is found.
import type { AccountInput } from './schema.ts'

export const account: AccountInput = {
  // The account of AWS' own examples: plan and apply refuse it.
  id: '123456789012',
  region: 'eu-central-1',
  // `gh api repos/OWNER/REPO --jq '.owner.id, .id'`
  github: { owner: 'your-name', ownerId: 1, repository: 'waggle', repositoryId: 1 },
  monthlyBudgetUsd: 60,
  email: 'you@example.com',
}
