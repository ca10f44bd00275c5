// A proxy in front of moto for the operations of Systems Manager that moto does not have, and for the hosts
// that run commands: it reports a rollout as a host does.

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { namesOf } from '../../src/names.ts'
import type { Moto } from './moto.ts'

export interface SystemsManager {
  /** Environment in which the AWS CLI uses the proxy. */
  env: NodeJS.ProcessEnv
  /** Commands in order: the document, the instances and the parameters. */
  commands: { document: string; instances: string[]; parameters: Record<string, string[]> }[]
  stop(): Promise<void>
}

const sent = z.object({
  DocumentName: z.string(),
  InstanceIds: z.array(z.string()),
  Parameters: z.record(z.string(), z.array(z.string())),
})
const filters = z.object({ Filters: z.tuple([z.object({ Values: z.array(z.string()) })]) })
const commandId = z.object({ CommandId: z.string() })
const { rolloutDocument, paths } = namesOf('staging')

export async function startSystemsManager(moto: Moto): Promise<SystemsManager> {
  const commands: SystemsManager['commands'] = []
  const instancesOf = new Map<string, string[]>()

  /** Responses of the operations that moto does not have. */
  const operations: Record<string, (input: unknown) => object> = {
    DescribeInstanceInformation: (input) => ({
      InstanceInformationList: filters
        .parse(input)
        .Filters[0].Values.map((InstanceId) => ({ InstanceId, PingStatus: 'Online' })),
    }),
    ListCommandInvocations: (input) => ({
      CommandInvocations: (instancesOf.get(commandId.parse(input).CommandId) ?? []).map((InstanceId) => ({
        InstanceId,
        Status: 'Success',
        CommandPlugins: [],
      })),
    }),
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch((error: unknown) => outgoing.writeHead(500).end(String(error)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen')
  return {
    env: { ...moto.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${address.port}` },
    commands,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = Buffer.concat(await incoming.toArray())
    const [, operation = ''] = /^AmazonSSM\.(\w+)$/.exec(String(incoming.headers['x-amz-target'])) ?? []
    const own = operations[operation]
    const { status, type, text } = own
      ? {
          status: 200,
          type: 'application/x-amz-json-1.1',
          text: JSON.stringify(own(JSON.parse(String(body)))),
        }
      : await forward(moto.url, incoming, body)
    if (operation === 'SendCommand' && status === 200)
      await runCommand(JSON.parse(String(body)), JSON.parse(text), String(incoming.headers.authorization))
    outgoing.writeHead(status, { 'Content-Type': type }).end(text)
  }

  async function runCommand(input: unknown, response: unknown, authorization: string): Promise<void> {
    const { DocumentName, InstanceIds, Parameters } = sent.parse(input)
    const { CommandId } = z.object({ Command: commandId }).parse(response).Command
    instancesOf.set(CommandId, InstanceIds)
    commands.push({ document: DocumentName, instances: InstanceIds, parameters: Parameters })
    if (DocumentName !== rolloutDocument) return
    for (const id of InstanceIds) {
      await fetch(moto.url, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-amz-json-1.1',
          'X-Amz-Target': 'AmazonSSM.PutParameter',
          // Moto takes the region from it.
          Authorization: authorization,
        },
        body: JSON.stringify({
          Name: `${paths.ready}/${id}`,
          Value: Parameters.tag?.[0],
          Type: 'String',
          Overwrite: true,
        }),
      })
    }
  }
}

function forward(to: string, incoming: IncomingMessage, body: Buffer) {
  const { method = 'GET', url = '/', headers } = incoming
  return new Promise<{ status: number; type: string; text: string }>((resolve, reject) => {
    const outgoing = request(new URL(url, to), { method, headers }, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      resolve({ status: response.statusCode ?? 500, type: response.headers['content-type'] ?? '', text })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
