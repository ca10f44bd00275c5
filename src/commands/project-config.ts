// Reads the configuration of a command and of its project.
import { type Config, ConfigError, type Environment, readConfig } from '../config.ts'
import { loadProject, type Project } from '../project/load-project.ts'

type Required = Parameters<typeof readConfig>[1]

/**
 * Loads the project, and reads its settings together with those of Waggle.
 * @throws ConfigError listing the faults of both; Error if the project cannot be loaded
 */
export async function readProjectConfig(
  environment: Environment,
  required?: Required,
): Promise<{ config: Config; project: Project }> {
  const project = await loadProject(environment)
  return { config: readConfig(environment, required, project.settings), project }
}

/**
 * Reads the configuration of a supervisor, which does not load the project: its processes do. Only if a
 * setting of Waggle is not valid, it loads the project, to report the faults of its settings too.
 * @throws ConfigError
 */
export async function readSupervisorConfig(environment: Environment, required?: Required): Promise<Config> {
  try {
    return readConfig(environment, required)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const project = await loadProject(environment).catch(() => undefined)
    return readConfig(environment, required, project?.settings)
  }
}
