// Evaluates requests to AWS with the synthesized policies, as IAM does: the policies of a workflow's role, or
// those of a host together with its permissions boundary.
import { rmSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'
import {
  boundaryOf,
  deployRoleOf,
  type Environment,
  GITHUB_ROLES,
  namesOf,
  type Role,
} from '../../src/names.ts'
import { account, configOf, type Json, type Layout, synthesizeOne } from './layouts.ts'

/** Values of condition keys, e.g. `{ 'iam:PassedToService': 'ec2.amazonaws.com' }`. */
export type Context = Record<string, string | string[]>

/** Context of a request for a resource with the tags of an environment. */
export const withTagsOf = (environment: string): Context => tagsOf('ResourceTag', environment)

/** Context of a request that sets the tags of an environment. */
export const settingTagsOf = (environment: string): Context => tagsOf('RequestTag', environment)

const tagsOf = (kind: string, environment: string): Context => ({
  [`aws:${kind}/Project`]: 'waggle',
  [`aws:${kind}/Environment`]: environment,
})

interface Principal {
  name: string
  policies: Json[]
  boundary?: Json
}

/** A key policy that leaves the decision to the policies of the principal, like that of identity/keys.ts. */
const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'kms:*',
      Resource: '*',
      Principal: { AWS: `arn:aws:iam::${account.id}:root` },
    },
  ],
}

const stacks = new Map<string, { environment: Json; shared: Json }>()

/** Returns the synthesized stacks of an environment, from a cache. */
export function stacksOf(environment: Environment, layout: Layout = 'high') {
  const key = `${environment} ${layout}`
  const known = stacks.get(key)
  if (known) return known
  const { folder, ...parts } = synthesizeOne(configOf(environment, layout))
  rmSync(folder, { recursive: true })
  stacks.set(key, parts)
  return parts
}

/**
 * Whether the role that deploys to the environment may make one request. A call that refers to several
 * resources is allowed only if it is allowed for each of them, with the tags of that resource.
 * @param action e.g. `ec2:RunInstances`
 * @param resource the ARN; ignored for actions that do not support resource-level permissions
 * @throws Error if the action does not exist, or the resource or a key of the context does not belong to it
 */
export const mayDeploy = (
  environment: Environment,
  action: string,
  resource: string,
  context: Context = {},
) => isAllowed(workflowRole(environment, deployRoleOf(environment)), action, resource, context)

/** Whether the role of the workflow `plan` may make a request. Parameters as for mayDeploy. */
export const mayPlan = (action: string, resource: string, context: Context = {}) =>
  isAllowed(workflowRole('prod', GITHUB_ROLES.plan), action, resource, context)

/** Whether a host of the environment may make a request. Parameters as for mayDeploy. */
export const mayHost = (
  environment: Environment,
  role: Role,
  action: string,
  resource: string,
  context: Context = {},
) => {
  const layout = role === 'app' ? 'single' : 'multi'
  const { aws_iam_role_policy: policies } = stacksOf(environment, layout).environment.resource
  const principal = {
    name: namesOf(environment).hostRole(role),
    policies: [JSON.parse(policies[`${role}-policy`].policy)],
    boundary: boundaryIn(environment),
  }
  return isAllowed(principal, action, resource, context)
}

/**
 * Whether a role that has all permissions, and the permissions boundary of the environment, may make a
 * request.
 */
export const mayBounded = (
  environment: Environment,
  action: string,
  resource: string,
  context: Context = {},
) => {
  const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
  const principal = { name: 'bounded', policies: [everything], boundary: boundaryIn(environment) }
  return isAllowed(principal, action, resource, context)
}

/** Returns the managed policies of a workflow's role, by name. */
export function policiesOf(environment: Environment, role: string): Record<string, string> {
  const { aws_iam_policy: policies } = stacksOf(environment).shared.resource
  return Object.fromEntries(
    Object.values<Json>(policies)
      .filter(({ name }) => name.startsWith(`${role}-`))
      .map(({ name, policy }) => [name, policy]),
  )
}

function workflowRole(environment: Environment, name: string): Principal {
  return { name, policies: Object.values(policiesOf(environment, name)).map((text) => JSON.parse(text)) }
}

function boundaryIn(environment: Environment): Json {
  const { aws_iam_policy: policies } = stacksOf(environment).shared.resource
  const boundary = Object.values<Json>(policies).find(({ name }) => name === boundaryOf(environment))
  return JSON.parse(boundary.policy)
}

async function isAllowed(
  { name, policies, boundary }: Principal,
  action: string,
  resource: string,
  context: Context,
): Promise<boolean> {
  const simulate = (arn: string) =>
    runSimulation(
      {
        request: {
          principal: `arn:aws:iam::${account.id}:role/${name}`,
          action,
          resource: { resource: arn, accountId: account.id },
          contextVariables: context,
        },
        identityPolicies: policies.map((policy, index) => ({ name: String(index), policy })),
        serviceControlPolicies: [],
        resourceControlPolicies: [],
        ...(boundary && { permissionBoundaryPolicies: [{ name: 'boundary', policy: boundary }] }),
        ...(arn.startsWith('arn:aws:kms:') && { resourcePolicy: KEY_POLICY }),
      },
      {},
    )
  let response = await simulate(resource)
  if (response.resultType === 'error' && response.errors.message === 'must.use.wildcard')
    response = await simulate('*')
  if (response.resultType === 'error')
    throw new Error(`${action} on ${resource} cannot be evaluated: ${response.errors.message}`)
  // With a wildcard there is a result for each pattern of resources.
  const results = response.resultType === 'single' ? [response.result] : response.results
  const ignoredContextKeys = results.flatMap(({ ignoredContextKeys = [] }) => ignoredContextKeys)
  if (ignoredContextKeys.length > 0)
    throw new Error(`${action} on ${resource} does not know the keys ${ignoredContextKeys.join(', ')}`)
  return response.overallResult === 'Allowed'
}
