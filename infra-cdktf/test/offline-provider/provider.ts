// A Terraform provider for tests that replaces the AWS provider for `terraform validate`. It has the schema
// of the AWS provider and none of its functions. It is a process that Terraform calls over a socket.
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Block, NestedBlock } from './schema.ts'

/** Schemas of the types that the stacks use. mirror.ts writes them to a file. */
export interface Schemas {
  provider: Block
  resources: Record<string, Block>
  dataSources: Record<string, Block>
}

interface Request {
  config: unknown
}

const NESTING = { single: 1, list: 2, set: 3, map: 4 }

const schemas = JSON.parse(readFileSync(new URL(`file://${process.argv[2]}`), 'utf8')) as Schemas // written by mirror.ts
const socket = join(tmpdir(), `offline-provider-${process.pid}.sock`)

const handlers: Record<string, (request: Request) => unknown> = {
  GetSchema: () => ({
    provider: { block: wireOf(schemas.provider) },
    resource_schemas: mapValues(schemas.resources, (block) => ({ block: wireOf(block) })),
    data_source_schemas: mapValues(schemas.dataSources, (block) => ({ block: wireOf(block) })),
  }),
  PrepareProviderConfig: ({ config }) => ({ prepared_config: config }),
  ValidateResourceTypeConfig: () => ({}),
  ValidateDataSourceConfig: () => ({}),
  Stop: () => ({}),
}

function wireOf(block: Block): unknown {
  return {
    attributes: Object.entries(block.attributes).map(([name, { type, ...flags }]) => ({
      name,
      type: Buffer.from(JSON.stringify(type)),
      ...flags,
    })),
    block_types: Object.entries(block.blocks).map(([type_name, nested]: [string, NestedBlock]) => ({
      type_name,
      block: wireOf(nested.block),
      nesting: NESTING[nested.nesting],
      min_items: nested.required && nested.nesting !== 'single' ? 1 : 0,
      max_items: nested.isSingle && nested.nesting !== 'single' ? 1 : 0,
    })),
  }
}

function mapValues<From, To>(values: Record<string, From>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]))
}

serve()

function serve(): void {
  const server = new Server({ 'grpc.max_send_message_length': -1, 'grpc.max_receive_message_length': -1 })
  server.addService(
    serviceIn('plugin.proto', 'tfplugin5', 'Provider'),
    mapValues(
      handlers,
      (handle) => (call: ServerUnaryCall<Request, unknown>, reply: sendUnaryData<unknown>) => {
        try {
          reply(null, handle(call.request))
        } catch (error) {
          reply({ code: 2, details: error instanceof Error ? (error.stack ?? error.message) : String(error) })
        }
      },
    ),
  )
  server.addService(serviceIn('controller.proto', 'plugin', 'GRPCController'), {
    Shutdown: (_call: unknown, reply: sendUnaryData<unknown>) => {
      reply(null, {})
      rmSync(socket, { force: true })
      setImmediate(() => process.exit())
    },
  })
  server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
    if (error) throw error
    process.stdout.write(`1|5|unix|${socket}|grpc|\n`)
  })
}

function serviceIn(file: string, name: string, service: string) {
  const definition = loadSync(join(import.meta.dirname, file), {
    keepCase: true,
    longs: Number,
    defaults: true,
  })
  const found = loadPackageDefinition(definition)[name] as Record<
    string,
    { service: Parameters<Server['addService']>[0] }
  > // the service in our own .proto files
  const client = found[service]
  if (!client) throw new Error(`${file} has no service ${service}`)
  return client.service
}
