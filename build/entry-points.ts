// The entry points of the package: what projects import.
import { existsSync } from 'node:fs'

export interface EntryPoint {
  /** The key in `exports` of package.json: `.` is `waggle-tasks`, `./client` is `waggle-tasks/client`. */
  export: string
  /** Path in `src`, without extension. */
  module: string
  /** File of its types, which does not import other files of the package. */
  types: string
}

const PLANNED: readonly EntryPoint[] = [
  { export: '.', module: 'index', types: 'index.d.ts' },
  { export: './client', module: 'client/client', types: 'client.d.ts' },
  { export: './testing', module: 'testing/testing', types: 'testing.d.ts' },
]

export const ENTRY_POINTS = PLANNED.filter(({ module }) =>
  existsSync(new URL(`../src/${module}.ts`, import.meta.url)),
)
