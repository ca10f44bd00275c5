// The commands for clients of the API: submit a task, and describe the API for other programs.
import { type Command, InvalidArgumentError } from 'commander'
import type { Environment } from '../config.ts'
import { addCommand } from './command-text.ts'

const GROUP = 'Use:'

export function addTaskCommands(program: Command, environment: Environment): void {
  addCommand(program, 'run', {
    group: GROUP,
    needs: 'settings',
    summary: 'submit a task and follow it until it has ended',
    description: `Submits a task to a running API and follows it: its progress goes to standard error, its result to
standard output, as JSON. The exit code is 1 if the task fails or is cancelled. Ctrl-C detaches: the task continues, and
the message says how to cancel it. --no-wait ends as soon as the task is accepted, and prints its id, name and status.`,
    examples: [
      `waggle run hello '{"name": "Ada"}'`,
      'waggle run report - < input.json',
      `WAGGLE_API_KEY=wgl_… waggle run hello '{"name": "Ada"}' --url https://tasks.example.com`,
    ],
  })
    .argument('<name>', 'name of the task')
    .argument('[input]', 'input of the task as JSON; - reads it from standard input', '{}')
    .option('--url <url>', 'address of the API (default: http://127.0.0.1:PORT, PORT is 8000)', httpUrl)
    .option('--key <key>', 'API key (default: WAGGLE_API_KEY, which other users of this machine cannot see)')
    .option('--no-wait', 'do not wait for the end of the task')
    .action(async (name, input, options) => (await import('./run.ts')).run(name, input, options, environment))

  addCommand(program, 'openapi', {
    group: GROUP,
    needs: 'project',
    summary: 'print the OpenAPI document of the project',
    description: `Prints the document that the API serves at /openapi.json, for generators of clients. It needs neither
servers nor settings.`,
    examples: ['waggle openapi > openapi.json'],
  }).action(async () => (await import('./openapi.ts')).openapi(environment))

  addCommand(program, 'postman', {
    group: GROUP,
    needs: 'project',
    summary: 'write a Postman collection of the project',
    description: `Writes waggle.postman_collection.json and waggle.postman_environment.json: requests for every operation of
the API and every task of the project. The collection can be run as a whole, against an API with a worker.`,
    examples: ['waggle postman --folder docs/postman'],
  })
    .option('--folder <folder>', 'where to write the files', '.')
    .option('--task <name>', 'the task that shows delays, retries and replays (default: the first task)')
    .action(async (options) => (await import('./postman.ts')).postman(options, environment))
}

function httpUrl(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('It must be a URL that begins with http:// or https://.')
}
