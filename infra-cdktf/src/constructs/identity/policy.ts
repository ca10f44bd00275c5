// IAM policies as JSON. All have the same shape, so that the rules in src/rules/ can read them.
import { boundaryOf, type Environment, PROJECT, TAGS } from '../../names.ts'

export interface Statement {
  Sid?: string
  Effect?: 'Allow' | 'Deny'
  Action: string | string[]
  Resource?: string | string[]
  Principal?: Record<string, string | string[]> | '*'
  Condition?: Record<string, Record<string, string | string[]>>
}

/** Returns the policy document as JSON. Statements allow unless they set `Effect`. */
export const policy = (...statements: Statement[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Effect: 'Allow', ...statement })),
  })

/** Returns the actions of one service from names separated by white space. */
export const actionsOf = (service: string, names: string): string[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => `${service}:${name}`)

/** Returns a trust policy that lets an AWS service assume the role, on behalf of this account only. */
export const trust = (service: string, accountId: string): string =>
  policy({
    Action: 'sts:AssumeRole',
    Principal: { Service: service },
    // EC2 does not send the source account.
    ...(service !== 'ec2.amazonaws.com' && {
      Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
    }),
  })

/** ARN of the permissions boundary for the roles of an environment. The shared stack creates it. */
export const boundaryArn = (accountId: string, environment: Environment) =>
  `arn:aws:iam::${accountId}:policy/${boundaryOf(environment)}`

/**
 * Condition values that select resources with the tags of an environment (`ResourceTag`), or requests that
 * set these tags (`RequestTag`). The project is part of it, because `Environment` is a common tag in an
 * account.
 */
export const tagsOfEnvironment = (kind: 'ResourceTag' | 'RequestTag', environment: Environment) => ({
  [`aws:${kind}/${TAGS.project}`]: PROJECT,
  [`aws:${kind}/${TAGS.environment}`]: environment,
})
