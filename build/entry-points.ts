// The entry points of the package: what projects import.

export interface EntryPoint {
  /** The key in `exports` of package.json: `.` is `waggle-tasks`, `./client` is `waggle-tasks/client`. */
  export: string
  /** Path of the compiled module in the package, without extension. */
  module: string
  /** File of its types, which does not import other files of the package. */
  types: string
}

export const ENTRY_POINTS: readonly EntryPoint[] = [
  { export: '.', module: 'lib/index', types: 'index.d.ts' },
  { export: './client', module: 'lib/client/client', types: 'client.d.ts' },
  { export: './testing', module: 'lib/testing/testing', types: 'testing.d.ts' },
  { export: './aws', module: 'infra-cdktf/src/run', types: 'aws.d.ts' },
]
