// Loads the project in a child process, to find out whether it can be loaded and which files it has.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { programPath } from '../base/installation.ts'
import type { Environment } from '../config.ts'
import { type FileHashes, trackProjectModules } from '../project/project-modules.ts'
import { readProjectConfig } from './project-config.ts'

/** The hidden command `check-project`: sends the files of the project to the parent process. */
export async function checkProject(environment: Environment): Promise<void> {
  const modules = trackProjectModules()
  try {
    await readProjectConfig(environment, ['API_KEYS'])
  } finally {
    process.send?.([...modules.files()])
  }
  // Modules of the project can have opened connections, which would keep this process alive.
  process.exit(0)
}

const MAIN = programPath('main')

/**
 * @param onFiles called with the files that were imported, also if the project cannot be loaded
 * @returns the files
 * @throws Error that says why the project cannot be loaded
 */
export async function checkInChild(
  environment: Environment,
  onFiles: (files: FileHashes) => void,
): Promise<FileHashes> {
  const child = fork(MAIN, ['check-project'], {
    env: environment,
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let files: FileHashes = new Map()
  child.on('message', (entries: [string, string][]) => {
    files = new Map(entries)
    onFiles(files)
  })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
  // Node emits 'close' after the last message and the last output.
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(stderr.trim() || `The project could not be loaded: exit code ${code}`)
  return files
}
