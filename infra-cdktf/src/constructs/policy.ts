// Policies as JSON: the same shape everywhere, so that the rules can read them.

export interface Statement {
  Sid?: string
  Effect?: 'Allow' | 'Deny'
  Action: string | string[]
  Resource?: string | string[]
  Principal?: Record<string, string | string[]> | '*'
  Condition?: Record<string, Record<string, string | string[]>>
}

export const policy = (...statements: Statement[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Effect: 'Allow', ...statement })),
  })

/** Who may take a role: a service of AWS, on behalf of this account only. */
export const trust = (service: string, accountId: string): string =>
  policy({
    Action: 'sts:AssumeRole',
    Principal: { Service: service },
    // EC2 sends no account along.
    ...(service !== 'ec2.amazonaws.com' && {
      Condition: { StringEquals: { 'aws:SourceAccount': accountId } },
    }),
  })

/** What an environment's roles may do at most, whoever writes their policies: made by the shared stack. */
export const boundaryArn = (accountId: string) => `arn:aws:iam::${accountId}:policy/waggle-boundary`
