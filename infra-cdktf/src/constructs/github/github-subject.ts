// The subject (claim `sub`) in the OIDC token of a workflow run.
import type { Account } from '../../config/schema.ts'

/** `pull_request`, `ref:refs/heads/main` or `environment:production`. */
export type RunContext = 'pull_request' | `ref:${string}` | `environment:${string}`

/**
 * Returns the subject of a run. Repositories created, renamed or transferred since 2026-07-15 include the ids
 * of owner and repository, so that a later owner of the same name gets no access. Older repositories use the
 * format without ids. The two formats do not match each other.
 */
export function subjectOf(
  { owner, ownerId, repository, repositoryId, legacySubject }: Omit<Account['github'], 'existingProvider'>,
  context: RunContext,
): string {
  const repositoryName = legacySubject
    ? `${owner}/${repository}`
    : `${owner}@${ownerId}/${repository}@${repositoryId}`
  return `repo:${repositoryName}:${context}`
}
