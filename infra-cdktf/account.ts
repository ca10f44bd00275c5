// The AWS account, its region and the GitHub repository. Edit this file as described in docs/deploy.md.
import type { AccountInput } from './src/run.ts'

export const account: AccountInput = {
  // The account of the examples in the AWS documentation. All commands that run Terraform reject it.
  id: '123456789012',
  region: 'eu-central-1',
  // `gh api repos/OWNER/REPO --jq '.owner.id, .id'`
  github: { owner: 'your-name', ownerId: 1, repository: 'waggle', repositoryId: 1 },
  monthlyBudgetUsd: 60,
  email: 'you@example.com',
}
