// Joins the declarations that tsc has written for each file into one file per entry point.
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { type Plugin, rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import type { EntryPoint } from './entry-points.ts'

/**
 * @param declarations folder of the declarations, whose folders are those of the package
 * @param out folder of the result
 */
export async function bundleTypes(entry: EntryPoint, declarations: string, out: string): Promise<void> {
  const bundle = await rolldown({
    input: { [basename(entry.types, '.d.ts')]: join(declarations, `${entry.module}.d.ts`) },
    // Types of other packages are imported.
    external: /^[^./]/,
    plugins: [
      ...(entry.export === '.' ? [] : [importSharedTypes(declarations)]),
      dts({ dtsInput: true, generator: 'oxc', tsconfig: false, sourcemap: false }),
    ],
    checks: { pluginTimings: false },
  })
  await bundle.write({ dir: out, entryFileNames: '[name].ts', codeSplitting: false })
  await bundle.close()
  if (entry.export === '.') await checkOpenInterface(join(out, entry.types))
}

/**
 * Modules whose types other entry points import from these. With copies of them, the types of the project, which are
 * members of `Register`, would be missing there.
 */
const SHARED_MODULES: Record<string, string> = {
  'lib/definitions/define': 'waggle-tasks',
  'lib/definitions/services': 'waggle-tasks',
  'lib/project/define-config': 'waggle-tasks',
  'lib/client/client': 'waggle-tasks/client',
}

function importSharedTypes(declarations: string): Plugin {
  return {
    name: 'shared-types',
    resolveId(id, importer) {
      if (importer === undefined || !id.startsWith('.')) return undefined
      const module = relative(declarations, join(dirname(importer), id)).replace(/(\.d)?\.ts$/, '')
      const shared = SHARED_MODULES[module]
      return shared === undefined ? undefined : { id: shared, external: true }
    },
  }
}

/**
 * Checks that `Register` is exported where it is declared. TypeScript adds the members of a project to it, but not
 * to an interface that is only named in a list of exports.
 */
async function checkOpenInterface(file: string): Promise<void> {
  if (!/^export interface Register \{/m.test(await readFile(file, 'utf8')))
    throw new Error(`${file}: the interface Register must be exported where it is declared`)
}
