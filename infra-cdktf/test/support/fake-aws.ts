// A fake of AWS in memory for scripts/: hosts with Run Command, Parameter Store and ElastiCache users.
import { z } from 'zod'
import { type Aws, AwsError } from '../../scripts/aws.ts'
import { type Environment, namesOf } from '../../src/names.ts'

export interface FakeAws {
  aws: Aws
  parameters: Map<string, string>
  /** Passwords of ElastiCache users, by user id. */
  cacheUsers: Map<string, string>
  /** Successful rollouts in order: `worker-1 COMMIT`. */
  rollouts: string[]
  /** Arguments of all calls, as a process list would show them. */
  commandLines: string[]
  addHost(name: string): void
  /** Makes rollouts of this commit fail on this host. */
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

/** @param names names of the hosts: `worker-1` has the role `worker` */
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
    'ssm get-parameters': ([, , , ...requested]) => ({
      Parameters: listed((name) => requested.includes(name)),
    }),
    'ssm get-parameter': (args) => {
      const [found] = listed((name) => name === args.at(-1))
      if (!found) throw awsError('ParameterNotFound')
      return { Parameter: found }
    },
    'elasticache modify-user': (_, input) => {
      const { UserId, AuthenticationMode } = cacheUser.parse(input)
      if (!cacheUsers.has(UserId)) throw awsError('UserNotFound')
      cacheUsers.set(UserId, AuthenticationMode.Passwords[0])
      return {}
    },
    'ssm put-parameter': (_, input) => {
      const { Name, Value, Overwrite } = parameter.parse(input)
      if (parameters.has(Name) && !Overwrite) throw awsError('ParameterAlreadyExists')
      parameters.set(Name, Value)
      return {}
    },
  }

  const fake: FakeAws = {
    parameters,
    cacheUsers,
    rollouts: [],
    commandLines: [],
    addHost: (name) => hosts.set(`i-${name}`, name),
    fail: (host, tag) => failing.add(`${host} ${tag}`),
    aws: async (args, input) => {
      fake.commandLines.push(args.join(' '))
      const operation = operations[args.slice(0, 2).join(' ')]
      if (!operation) throw new Error(`The fake of AWS does not implement ${args.join(' ')}`)
      return operation(args, input)
    },
  }
  for (const name of names) fake.addHost(name)
  return fake

  /** Rolls out on one host after the other until the first failure, like Run Command with MaxErrors 0. */
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

  function listed(isRequested: (name: string) => boolean) {
    return [...parameters].filter(([name]) => isRequested(name)).map(([Name, Value]) => ({ Name, Value }))
  }
}

const awsError = (code: string) =>
  new AwsError('ssm', `An error occurred (${code}) when calling the operation`)
