// Starts a worker process that ends with this process, prints its process id, and waits. Tests run this file
// as a process of its own and kill it.
import { spawnWorker } from './worker-process.ts'

const [, , databaseUrl = '', redisUrl = '', queue = ''] = process.argv
const system = { database: { url: databaseUrl }, redis: { url: redisUrl } }
const worker = await spawnWorker(system, { queues: [queue], parentPid: process.pid })
process.stdout.write(`${worker.pid}\n`)
