// The command line: help, exit codes, and the settings of the file .env.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createProgram } from '../../src/commands/command-line.ts'
import { readEnvironmentFile } from '../../src/commands/environment-file.ts'
import type { Environment } from '../../src/config.ts'
import { runCommand } from '../support/run-command.ts'

/** All commands that a person calls, with their names as on the command line. */
function commandsOf(parent: Command, prefix: string[] = []): { name: string[]; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = [...prefix, command.name()]
    return command.commands.length > 0 ? commandsOf(command, name) : [{ name, command }]
  })
}

const COMMANDS = commandsOf(createProgram({}))

describe('help', () => {
  test('docs/commands.md contains the help of every command (else: vitest run --update=all)', async () => {
    const texts = await Promise.all(
      [[], ...COMMANDS.map(({ name }) => name)].map(async (name) => {
        const { code, stdout, stderr } = await runCommand([...name, '--help'])
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
        const own = stdout.replace(/\nGlobal Options:\n( {2}.*\n)+/, '').trimEnd()
        return `${`## waggle ${name.join(' ')}`.trimEnd()}\n\n\`\`\`\n${own}\n\`\`\`\n`
      }),
    )
    const page = `# Commands\n\nThe help of all commands, as \`waggle <command> --help\` prints it.\n\n${texts.join('\n')}`
    await expect(page).toMatchFileSnapshot('../../docs/commands.md')
  })

  test('has a summary, a description and an example for every command, and text for every option', () => {
    expect(COMMANDS.map(({ name }) => name.join(' ')).toSorted()).toEqual([
      'api',
      'certificates',
      'dev',
      'doctor',
      'init',
      'keys create',
      'migrate',
      'new task',
      'openapi',
      'postman',
      'run',
      'worker',
    ])
    for (const { name, command } of COMMANDS) {
      expect(command.summary(), name.join(' ')).not.toBe('')
      expect(command.description().length, name.join(' ')).toBeGreaterThan(command.summary().length)
      for (const { description } of [...command.options, ...command.registeredArguments])
        expect(description, name.join(' ')).not.toBe('')
    }
  })

  test('lists the commands without hidden processes', async () => {
    const { stdout } = await runCommand(['--help'])
    expect(stdout).toContain('keys create')
    expect(stdout).not.toContain('-process')
  })
})

describe('exit codes', () => {
  test('--version prints the version', async () => {
    const { code, stdout } = await runCommand(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each([
    [['dve'], '(Did you mean dev?)'],
    [[], 'Usage: waggle <command>'],
    [['keys'], 'Usage: waggle keys'],
    [['api', '--prot', '1'], "unknown option '--prot'"],
    [['keys', 'create', '--name', 'ci', '--scope', 'all'], 'Allowed choices are submit, '],
    [['keys', 'create', '--name', 'a b', '--scope', 'read'], '1 to 64 letters'],
    [['keys', 'create', '--name', 'ci'], "required option '--scope <scope...>' not specified"],
    [['run', 'hello', '{name: "Ada"}'], 'The input must be JSON'],
    [['run', 'hello', '{}', '--url', 'localhost:8000'], 'must be a URL that begins with http://'],
    [['new', 'task', 'sendInvoice'], 'lower case letters'],
    [['new', 'task', 'http_request'], 'The name "http_request" is reserved'],
    [['openapi', '--config', 'missing.ts'], '--config: there is no file missing.ts'],
  ])('wrong usage %j: 2, with a message on standard error', async (args, message) => {
    const { code, stdout, stderr } = await runCommand(args)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('    at ')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('a failure: 1, with a message on standard error and without a stack', async () => {
    const { code, stdout, stderr } = await runCommand(['migrate'])
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'The configuration is not valid:\n  DATABASE_URL: is required for this command\n',
    })
  })
})

describe('.env', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'waggle-settings-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** Reads a file with this text into an environment. */
  function read(text: string, environment: Environment): Environment {
    const file = join(folder, 'settings')
    writeFileSync(file, text)
    const target: Environment = { ...environment, WAGGLE_ENV_FILE: file }
    readEnvironmentFile(target)
    return target
  }

  test('variables of the environment win, and empty ones count as unset', () => {
    const environment = read('PORT=1\nHOST=file\nRATE_LIMIT=\n# LOG_LEVEL=debug\nMAIL_FROM="a # b"\n', {
      PORT: '2',
      HOST: '',
    })
    expect(environment).toMatchObject({ PORT: '2', HOST: 'file', MAIL_FROM: 'a # b' })
    expect(environment).not.toHaveProperty('RATE_LIMIT')
    expect(environment).not.toHaveProperty('LOG_LEVEL')
  })

  test('is read from the current folder by commands with and without options', async () => {
    writeFileSync(join(folder, '.env'), 'DATABASE_URL=mysql://nowhere\n')
    writeFileSync(join(folder, 'waggle.config.ts'), '')
    for (const args of [['migrate'], ['migrate', '--config', 'waggle.config.ts']]) {
      const { stderr } = await runCommand(args, { folder, settings: { WAGGLE_ENV_FILE: '' } })
      expect(stderr).toContain('DATABASE_URL: must be a URL that begins with postgres://')
    }
  })

  test('of Docker Compose is not read, which a message says', async () => {
    writeFileSync(join(folder, '.env'), 'COMPOSE_PROFILES=edge,api\nDATABASE_URL=mysql://nowhere\n')
    const { stderr } = await runCommand(['migrate'], { folder, settings: { WAGGLE_ENV_FILE: '' } })
    expect(stderr).toContain('The file .env is not read, because it belongs to Docker Compose')
    expect(stderr).toContain('DATABASE_URL: is required')
  })

  test('that WAGGLE_ENV_FILE names must exist', async () => {
    const { code, stderr } = await runCommand(['migrate'], { settings: { WAGGLE_ENV_FILE: 'missing' } })
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'WAGGLE_ENV_FILE: there is no file missing\n' })
  })
})
