// An isolated process: runs attempts of the definitions of this project for the worker that has started it.
import { messageOf } from './base/errors.ts'
import { readConfig } from './config.ts'
import { createProcessLog } from './processes/process-log.ts'
import { loadProject } from './project/load-project.ts'
import { createProjectRegistry, openServices } from './project/open-project.ts'
import { ServicesError, serveAttempts } from './worker/isolated/serve-attempts.ts'

serveAttempts(async () => {
  const project = await loadProject(process.env)
  const config = readConfig(process.env, [], project.settings)
  const log = createProcessLog(config.LOG_LEVEL, 'isolated')
  const { services } = await openServices(project.config, config.project, (message, fields) =>
    log.info(fields ?? {}, message),
  ).catch((error) => {
    throw new ServicesError(messageOf(error), { cause: error })
  })
  return { registry: createProjectRegistry(project.config.tasks, config), services }
})
