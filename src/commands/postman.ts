// The command `postman`: writes a Postman collection of the project, and its environment.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from '../config.ts'
import { createPostmanFiles } from '../postman/postman-files.ts'
import { loadProject } from '../project/load-project.ts'

export async function postman(
  { folder, task }: { folder: string; task?: string },
  environment: Environment,
): Promise<void> {
  const { config } = await loadProject(environment)
  const files = createPostmanFiles(config, { task })
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name)
    writeFileSync(file, text)
    process.stdout.write(`${file}\n`)
  }
}
