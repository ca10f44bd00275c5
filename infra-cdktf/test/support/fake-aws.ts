// A fake of AWS in memory for scripts/: hosts with Run Command, Parameter Store and ElastiCache users.
import { z } from 'zod'
import { type Aws, AwsError } from '../../scripts/aws.ts'
import { type Environment, namesOf } from '../../src/names.ts'

/** Handles one operation, e.g. `rds describe-db-instances`. */
export type Operation = (args: string[], input: unknown) => unknown

export interface FakeAws {
  aws: Aws
  parameters: Map<string, string>
  /** Passwords of ElastiCache users, by user id. */
  cacheUsers: Map<string, string[]>
  /** Successful rollouts in order: `worker-1 COMMIT`. */
  rollouts: string[]
  /** Shell commands in order: `worker-1: COMMAND`. */
  shellCommands: string[]
  /** Arguments of all calls, as a process list would show them. */
  commandLines: string[]
  /** Operations that are rejected with AccessDenied, and shell commands that fail. */
  failing: Set<string>
  /** Adds or replaces operations. */
  operations: Record<string, Operation>
  addHost(name: string, state?: 'running' | 'stopped'): void
  /** Terminates a host, as auto scaling does. */
  endHost(name: string): void
  /** Makes rollouts of this commit fail on this host. */
  fail(host: string, tag: string): void
  /** Makes all rollouts succeed again. */
  repair(): void
}

const sent = z.object({
  // The limit of Run Command.
  InstanceIds: z.array(z.string()).min(1).max(50),
  Parameters: z.union([
    z.object({ tag: z.tuple([z.string()]) }),
    z.object({ commands: z.array(z.string()), executionTimeout: z.tuple([z.string()]) }),
  ]),
})
const cacheUser = z.object({
  UserId: z.string(),
  AuthenticationMode: z.object({
    Type: z.literal('password'),
    Passwords: z.array(z.string().min(16)).min(1).max(2),
  }),
})
const parameter = z.object({ Name: z.string(), Value: z.string(), Overwrite: z.boolean() })
const instanceFilters = z.object({
  Filters: z.array(z.object({ Name: z.string(), Values: z.array(z.string()) })),
})

// The limit of Systems Manager is 100, that of the commands is 50.
const informationFilters = z.object({ Filters: z.tuple([z.object({ Values: z.array(z.string()).max(50) })]) })

/** @param names names of the hosts: `worker-1` has the role `worker` */
export function createFakeAws(environment: Environment, names: string[]): FakeAws {
  const { ready } = namesOf(environment).paths
  const hosts = new Map<string, { name: string; state: string }>()
  const failingRollouts = new Set<string>()
  const commands = new Map<string, object[]>()
  const parameters = new Map<string, string>()
  const cacheUsers = new Map<string, string[]>()

  const operations: Record<string, Operation> = {
    'ec2 describe-instances': (_, input) => {
      const { Filters } = instanceFilters.parse(input)
      const states = Filters.find(({ Name }) => Name === 'instance-state-name')?.Values ?? []
      const found = [...hosts].filter(([, { state }]) => states.includes(state))
      return { Reservations: found.map(([id, { name }]) => ({ Instances: [instanceOf(id, name)] })) }
    },
    'ssm describe-instance-information': (_, input) => {
      const ids = informationFilters.parse(input).Filters[0].Values
      const online = ids.filter((id) => hosts.has(id))
      return { InstanceInformationList: online.map((InstanceId) => ({ InstanceId, PingStatus: 'Online' })) }
    },
    'ssm send-command': (_, input) => {
      const { InstanceIds, Parameters } = sent.parse(input)
      const CommandId = `command-${commands.size}`
      commands.set(
        CommandId,
        'tag' in Parameters
          ? run(InstanceIds, Parameters.tag[0])
          : runShell(InstanceIds, Parameters.commands),
      )
      return { Command: { CommandId } }
    },
    'ssm list-command-invocations': ([, , , id = '']) => ({ CommandInvocations: commands.get(id) }),
    'ssm get-command-invocation': (args) => {
      const id = args[args.indexOf('--instance-id') + 1]
      return commands
        .get(args[args.indexOf('--command-id') + 1] ?? '')
        ?.find((invocation) => 'InstanceId' in invocation && invocation.InstanceId === id)
    },
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
    'ssm delete-parameters': ([, , , ...names]) => {
      // The limit of Parameter Store.
      if (names.length > 10) throw awsError('ValidationException')
      for (const name of names) parameters.delete(name)
      return {}
    },
    'elasticache modify-user': (_, input) => {
      const { UserId, AuthenticationMode } = cacheUser.parse(input)
      if (!cacheUsers.has(UserId)) throw awsError('UserNotFound')
      cacheUsers.set(UserId, AuthenticationMode.Passwords)
      return {}
    },
    'elasticache describe-users': () => ({ Users: [{ Status: 'active' }] }),
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
    operations,
    rollouts: [],
    shellCommands: [],
    commandLines: [],
    failing: new Set(),
    addHost: (name, state = 'running') => hosts.set(`i-${name}`, { name, state }),
    endHost: (name) => hosts.delete(`i-${name}`),
    fail: (host, tag) => failingRollouts.add(`${host} ${tag}`),
    repair: () => failingRollouts.clear(),
    aws: async (args, input) => {
      fake.commandLines.push(args.join(' '))
      const name = args.slice(0, 2).join(' ')
      if (fake.failing.has(name)) throw awsError('AccessDenied')
      const operation = operations[name]
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
      const name = hosts.get(InstanceId)?.name ?? ''
      if (failingRollouts.has(`${name} ${tag}`)) {
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

  function runShell(ids: string[], commands: string[]): object[] {
    return ids.map((InstanceId) => {
      const name = hosts.get(InstanceId)?.name ?? ''
      const command = commands.at(-1) ?? ''
      fake.shellCommands.push(`${name}: ${command}`)
      const hasFailed = fake.failing.has(command)
      return {
        InstanceId,
        Status: hasFailed ? 'Failed' : 'Success',
        ResponseCode: hasFailed ? 7 : 0,
        StandardOutputContent: `output of ${name}\n`,
        StandardErrorContent: hasFailed ? 'failed to run commands: exit status 7' : '',
        CommandPlugins: [],
      }
    })
  }

  function listed(isRequested: (name: string) => boolean) {
    return [...parameters].filter(([name]) => isRequested(name)).map(([Name, Value]) => ({ Name, Value }))
  }
}

const instanceOf = (InstanceId: string, name: string) => ({
  InstanceId,
  PublicIpAddress: '198.51.100.7',
  PrivateIpAddress: '10.0.0.7',
  Tags: [
    { Key: 'Host', Value: name },
    { Key: 'Role', Value: name.replace(/-\d+$/, '') },
  ],
})

export const awsError = (code: string) =>
  new AwsError('ssm', `An error occurred (${code}) when calling the operation`)
