// What GitHub says of a workflow run in the token's `sub`.
import type { Account } from './config/schema.ts'

/** `pull_request`, `ref:refs/heads/main` or `environment:production`. */
export type RunContext = 'pull_request' | `ref:${string}` | `environment:${string}`

/**
 * Repositories made, renamed or transferred since 2026-07-15 carry the ids of owner and repository in it, so that a
 * name that somebody else takes later opens nothing. The older format matches none of those, and the other way round.
 */
export function subjectOf(
  { owner, ownerId, repository, repositoryId, legacySubject }: Account['github'],
  context: RunContext,
): string {
  const where = legacySubject ? `${owner}/${repository}` : `${owner}@${ownerId}/${repository}@${repositoryId}`
  return `repo:${where}:${context}`
}
