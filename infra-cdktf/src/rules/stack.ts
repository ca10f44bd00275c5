// Reads synthesized Terraform JSON for the rules.

// biome-ignore lint/suspicious/noExplicitAny: resources have too many types, and rules read only a few fields
export type Values = Record<string, any>

export interface Stack {
  resource?: Record<string, Record<string, Values>>
}

export interface Resource {
  address: string
  type: string
  values: Values
}

/** Returns the resources of the given types, or all resources if no type is given. */
export function resourcesIn({ resource = {} }: Stack, ...types: string[]): Resource[] {
  return Object.entries(resource)
    .filter(([type]) => types.length === 0 || types.includes(type))
    .flatMap(([type, byId]) =>
      Object.entries(byId).map(([id, values]) => ({ address: `${type}.${id}`, type, values })),
    )
}

/** Returns the blocks as an array. Terraform JSON contains no value, one object, or an array of them. */
export const each = (block: unknown): Values[] =>
  block === undefined || block === null ? [] : ((Array.isArray(block) ? block : [block]) as Values[]) // blocks are objects

/** Terraform accepts "true" as true, and some arguments of the bindings are strings. */
export const isTrue = (value: unknown) => value === true || value === 'true'

/** Whether any resource of the given types refers to the address. */
export function isReferredToBy(stack: Stack, address: string, ...types: string[]): boolean {
  return resourcesIn(stack, ...types).some(({ values }) => JSON.stringify(values).includes(`\${${address}.`))
}

/** A policy statement. Every value is a list, although AWS also accepts single strings. */
export interface PolicyStatement {
  sid: string
  effect: string
  actions: string[]
  resources: string[]
  /** `Service: …`, `AWS: …`, `Federated: …`, or `*`. */
  principals: string[]
  condition: Record<string, Record<string, string | string[]>>
}

export interface Policy {
  address: string
  kind: 'identity' | 'trust' | 'resource'
  text: string
  statements: PolicyStatement[]
}

const POLICIES: Record<string, [kind: Policy['kind'], argument: string]> = {
  aws_iam_policy: ['identity', 'policy'],
  aws_iam_role_policy: ['identity', 'policy'],
  aws_iam_role: ['trust', 'assume_role_policy'],
  aws_kms_key: ['resource', 'policy'],
  aws_s3_bucket_policy: ['resource', 'policy'],
  aws_sns_topic_policy: ['resource', 'policy'],
  aws_ecr_repository_policy: ['resource', 'policy'],
}

export function policiesIn(stack: Stack, kind: Policy['kind']): Policy[] {
  return resourcesIn(stack, ...Object.keys(POLICIES)).flatMap(({ address, type, values }) => {
    const [policyKind, argument] = POLICIES[type] ?? ['resource', 'policy']
    const text = values[argument]
    if (policyKind !== kind || typeof text !== 'string') return []
    return [{ address, kind, text, statements: each(JSON.parse(text).Statement).map(statementOf) }]
  })
}

function statementOf({ Sid, Effect, Action, Resource, Principal, Condition }: Values): PolicyStatement {
  const list = (value: unknown): string[] => (value === undefined ? [] : [value].flat().map(String))
  return {
    sid: Sid ?? '',
    effect: Effect ?? 'Deny',
    actions: list(Action),
    resources: list(Resource),
    principals:
      typeof Principal === 'string'
        ? [Principal]
        : Object.entries(Principal ?? {}).flatMap(([kind, names]) =>
            list(names).map((name) => `${kind}: ${name}`),
          ),
    condition: Condition ?? {},
  }
}
