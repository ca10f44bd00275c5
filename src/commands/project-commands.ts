// The commands that create projects, check them, and manage their access.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Environment, SCOPES } from '../config.ts'
import { addCommand, addParent } from './command-text.ts'

const GROUP = 'Project:'

export function addProjectCommands(program: Command, environment: Environment): void {
  addCommand(program, 'init', {
    group: GROUP,
    needs: 'nothing',
    summary: 'create a project',
    description: `Writes the files of a new project: waggle.config.ts, a first task with its test, package.json,
tsconfig.json, .env.example, .gitignore and README.md. It overwrites nothing: if one of them exists, it writes none.
With --containers it also writes Dockerfile, .dockerignore and docker-compose.yml; with --aws the same, the folder
infra-cdktf, .github/workflows/deploy.yml and scripts in package.json. In the folder of a project it writes only these.`,
    examples: ['waggle init my-tasks', 'waggle init my-tasks --samples', 'waggle init --aws'],
  })
    .argument('[folder]', 'folder of the project', '.')
    .option('--samples', 'add the sample tasks: mail, sentiment, form endpoints')
    .option('--containers', 'add what runs the project in containers')
    .option('--aws', 'add what deploys the project to your AWS account')
    .action(async (folder, options) => (await import('./init.ts')).init(folder, options))

  const add = addParent(program, 'new', { group: GROUP, summary: 'add a task to the project' })
  addCommand(add, 'task', {
    group: GROUP,
    needs: 'settings',
    summary: 'add a task to the project',
    description: `Writes tasks/<name>.ts and its test, and adds the task to waggle.config.ts. If the list of tasks cannot be
found there, it says what to add.`,
    examples: ['waggle new task send_invoice'],
  })
    .argument('<name>', 'lower case letters, digits and underscores; it is part of URLs', taskName)
    .action(async (name) => (await import('./new-task.ts')).newTask(name, environment))

  addCommand(program, 'doctor', {
    group: GROUP,
    needs: 'settings',
    summary: 'check versions, settings, Postgres, Redis, clocks, ports and workers',
    description: `Checks what the commands of this project need, with the settings that they would have, and prints one
line for each check: ok, or what to do. It changes nothing. If anything is wrong, the exit code is 1.`,
    examples: ['waggle doctor', 'DATABASE_URL=postgres://db/tasks REDIS_URL=redis://cache waggle doctor'],
  }).action(async () => (await import('./doctor.ts')).doctor(environment))

  const keys = addParent(program, 'keys', { group: GROUP, summary: 'create an API key' })
  addCommand(keys, 'create', {
    group: GROUP,
    needs: 'nothing',
    summary: 'create an API key and its entry for API_KEYS',
    description: `Creates an API key and prints it with its entry for the setting API_KEYS. The key is stored nowhere: the
entry contains its hash only.`,
    examples: ['waggle keys create --name website --scope submit --scope read'],
  })
    .requiredOption(
      '--name <name>',
      'name of the key in logs: letters, digits, dot, underscore and -',
      keyName,
    )
    .addOption(
      new Option('--scope <scope...>', 'what the key allows; may be given several times')
        .choices(SCOPES)
        .makeOptionMandatory(),
    )
    .action(async ({ name, scope }) => (await import('./keys.ts')).createKey(name, scope))
}

function taskName(text: string): string {
  if (/^[a-z][a-z0-9_]{0,63}$/.test(text)) return text
  throw new InvalidArgumentError(
    'It must begin with a lower case letter and have at most 64 lower case letters, digits and underscores.',
  )
}

function keyName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('It must have 1 to 64 letters, digits, dots, underscores and hyphens.')
}
