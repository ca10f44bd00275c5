// Explicit denials for the role that deploys to an environment. They override all of its other policies.
import { type Environment, SHARED_STACK, TAGS } from '../../../names.ts'
import type { Statement } from '../../identity/policy.ts'

/**
 * Denies access to resources of other environments, and requests that would move a resource to another one.
 */
export function denyStatements(environment: Environment): Statement[] {
  const resourceTag = `aws:ResourceTag/${TAGS.environment}`
  const requestTag = `aws:RequestTag/${TAGS.environment}`
  return [
    {
      Sid: 'OtherEnvironments',
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      // A condition with a negated operator is true without the key, so the key must exist too.
      Condition: {
        StringNotEquals: { [resourceTag]: [environment, SHARED_STACK] },
        Null: { [resourceTag]: 'false' },
      },
    },
    {
      Sid: 'TagsOfOtherEnvironments',
      Effect: 'Deny',
      Action: '*',
      Resource: '*',
      Condition: { StringNotEquals: { [requestTag]: environment }, Null: { [requestTag]: 'false' } },
    },
  ]
}
