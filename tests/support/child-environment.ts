// The environment variables of the processes that tests start.
import { fileURLToPath } from 'node:url'

/**
 * PATH, and the compile cache of Node: compiling the modules again is a third of the start time of a process.
 * The file .env of a developer must not change the tests, so the commands read an empty file instead.
 */
export const CHILD_ENVIRONMENT = {
  PATH: process.env.PATH ?? '',
  WAGGLE_ENV_FILE: '/dev/null',
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)),
}
