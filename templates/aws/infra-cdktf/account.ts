// The AWS account, its region and the GitHub repository.
import type { AccountInput } from 'waggle-tasks/aws'

export const account: AccountInput = {
  // The account of the examples in the AWS documentation. All commands that run Terraform reject it.
  id: '123456789012',
  region: 'eu-central-1',
  // `gh api repos/OWNER/REPOSITORY --jq '.owner.id, .id'` prints both ids.
  github: {
    owner: 'your-name',
    ownerId: 1,
    repository: '{{name}}',
    repositoryId: 1,
    // For a repository from before July 2026 whose OIDC subjects lack the ids:
    // legacySubject: true,
    // For an account that already has an OIDC provider for GitHub:
    // existingProvider: true,
  },
  // AWS sends a mail before it is spent, and stops nothing.
  monthlyBudgetUsd: 60,
  // Receives alarms and the mails about the budget.
  email: 'you@example.com',
}
