// As much of AWS as a rollout meets, in memory: hosts that answer Run Command, and Parameter Store.
import { z } from 'zod'
import { type Aws, AwsError } from '../../scripts/aws.ts'
import { type Environment, namesOf } from '../../src/names.ts'

export interface FakeAws {
  aws: Aws
  parameters: Map<string, string>
  /** Users of ElastiCache with their passwords. */
  cacheUsers: Map<string, string>
  /** What ran through on which host, in order: `worker-1 COMMIT`. */
  rollouts: string[]
  /** The arguments of all calls: what a list of processes would show. */
  seen: string[]
  addHost(name: string): void
  /** From now on a commit does not start there. */
  fail(host: string, tag: string): void
}

const sent = z.object({
  InstanceIds: z.array(z.string()),
  Parameters: z.object({ tag: z.tuple([z.string()]) }),
})
const cacheUser = z.object({
  UserId: z.string(),
  AuthenticationMode: z.object({ Type: z.literal('password'), Passwords: z.tuple([z.string().min(16)]) }),
})
const parameter = z.object({ Name: z.string(), Value: z.string(), Overwrite: z.boolean() })

/** @param names of hosts: `worker-1` has the role `worker` */
export function createFakeAws(environment: Environment, names: string[]): FakeAws {
  const { ready } = namesOf(environment).paths
  const hosts = new Map<string, string>()
  const failing = new Set<string>()
  const commands = new Map<string, object[]>()
  const parameters = new Map<string, string>()

  const cacheUsers = new Map<string, string>()

  const operations: Record<string, (args: string[], input: unknown) => unknown> = {
    'ec2 describe-instances': () => ({
      Reservations: [...hosts].map(([InstanceId, name]) => ({
        Instances: [
          {
            InstanceId,
            PublicIpAddress: '198.51.100.7',
            Tags: [
              { Key: 'Host', Value: name },
              { Key: 'Role', Value: name.replace(/-\d+$/, '') },
            ],
          },
        ],
      })),
    }),
    'ssm describe-instance-information': () => ({
      InstanceInformationList: [...hosts.keys()].map((InstanceId) => ({ InstanceId, PingStatus: 'Online' })),
    }),
    'ssm send-command': (_, input) => {
      const { InstanceIds, Parameters } = sent.parse(input)
      const CommandId = `command-${commands.size}`
      commands.set(CommandId, run(InstanceIds, Parameters.tag[0]))
      return { Command: { CommandId } }
    },
    'ssm list-command-invocations': ([, , , id = '']) => ({ CommandInvocations: commands.get(id) }),
    'ssm get-parameters-by-path': ([, , , path = '']) => ({
      Parameters: listed((name) => name.startsWith(`${path}/`)),
    }),
    'ssm get-parameters': ([, , , ...asked]) => ({ Parameters: listed((name) => asked.includes(name)) }),
    'ssm get-parameter': (args) => {
      const [found] = listed((name) => name === args.at(-1))
      if (!found) throw refusal('ParameterNotFound')
      return { Parameter: found }
    },
    'elasticache modify-user': (_, input) => {
      const { UserId, AuthenticationMode } = cacheUser.parse(input)
      if (!cacheUsers.has(UserId)) throw refusal('UserNotFound')
      cacheUsers.set(UserId, AuthenticationMode.Passwords[0])
      return {}
    },
    'ssm put-parameter': (_, input) => {
      const { Name, Value, Overwrite } = parameter.parse(input)
      if (parameters.has(Name) && !Overwrite) throw refusal('ParameterAlreadyExists')
      parameters.set(Name, Value)
      return {}
    },
  }

  const fake: FakeAws = {
    parameters,
    cacheUsers,
    rollouts: [],
    seen: [],
    addHost: (name) => hosts.set(`i-${name}`, name),
    fail: (host, tag) => failing.add(`${host} ${tag}`),
    aws: async (args, input) => {
      fake.seen.push(args.join(' '))
      const operation = operations[args.slice(0, 2).join(' ')]
      if (!operation) throw new Error(`The fake of AWS knows no ${args.join(' ')}`)
      return operation(args, input)
    },
  }
  for (const name of names) fake.addHost(name)
  return fake

  /** One after the other; the first that fails ends it, as Run Command does it. */
  function run(ids: string[], tag: string): object[] {
    const invocations = []
    for (const InstanceId of ids) {
      const name = hosts.get(InstanceId) ?? ''
      if (failing.has(`${name} ${tag}`)) {
        const Output = 'The new worker does not stay up\n'
        invocations.push({ InstanceId, Status: 'Failed', CommandPlugins: [{ Output }] })
        break
      }
      fake.rollouts.push(`${name} ${tag}`)
      parameters.set(`${ready}/${InstanceId}`, tag)
      invocations.push({ InstanceId, Status: 'Success', CommandPlugins: [] })
    }
    return invocations
  }

  function listed(isAsked: (name: string) => boolean) {
    return [...parameters].filter(([name]) => isAsked(name)).map(([Name, Value]) => ({ Name, Value }))
  }
}

const refusal = (code: string) =>
  new AwsError('ssm', `An error occurred (${code}) when calling the operation`)
