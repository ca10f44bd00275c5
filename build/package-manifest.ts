// The package.json of the package.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import repository from '../package.json' with { type: 'json' }
import type { EntryPoint } from './entry-points.ts'

/** Packages of which a project and Waggle must have the same copy: Waggle gets schemas of the project. */
const PEERS = ['zod']

/** Packages that a project installs in its folder infra-cdktf: `waggle-tasks/aws` finds them there. */
const OF_INFRASTRUCTURE = ['@cdktf/provider-aws', 'cdktf', 'constructs']

/**
 * @param folder the package: only packages that its compiled code imports become dependencies
 * @param bin path of the command in the package
 */
export function createManifest(entryPoints: readonly EntryPoint[], folder: string, bin: string) {
  const { name, version, description, license, type } = repository
  const code = ['lib', 'infra-cdktf'].map((name) => readCode(join(folder, name))).join('\n')
  checkImports(code)
  const imported = Object.entries(repository.dependencies).filter(([dependency]) =>
    new RegExp(`['"]${dependency}['"/]`).test(code),
  )
  return {
    name,
    version,
    description,
    keywords: ['background', 'tasks', 'jobs', 'queue', 'worker', 'postgres', 'redis'],
    license,
    type,
    bin: { waggle: bin },
    exports: {
      ...Object.fromEntries(
        entryPoints.map(({ export: path, module, types }) => [
          path,
          { types: `./${types}`, default: `./${module}.js` },
        ]),
      ),
      './package.json': './package.json',
    },
    files: [
      'bin',
      'docker',
      'docker-compose*.yml',
      'infra-cdktf',
      'lib',
      'migrations',
      'templates',
      'web',
      'CHANGELOG.md',
      ...entryPoints.map(({ types }) => types),
    ],
    // Older versions of Node cannot run the TypeScript of a project.
    engines: { node: '>=24' },
    dependencies: Object.fromEntries(imported.filter(([dependency]) => !PEERS.includes(dependency))),
    peerDependencies: Object.fromEntries(
      imported
        .filter(([dependency]) => PEERS.includes(dependency))
        .map(([dependency, exact]) => [dependency, `^${exact}`]),
    ),
  }
}

/** @throws Error if the code imports a package that is missing in `dependencies` of the repository */
function checkImports(code: string) {
  const statements = code.matchAll(/^(?:import|export) (?:[^'"]*? from )?'([^'"]+)'|\bimport\('([^'"]+)'\)/gm)
  for (const [, name = '', dynamic = name] of statements) {
    const [scopeOrName = '', rest] = dynamic.split('/')
    const dependency = scopeOrName.startsWith('@') ? `${scopeOrName}/${rest}` : scopeOrName
    // Text of generated code has placeholders in place of names.
    const isOwn = /^(\.|node:)|\$/.test(dynamic) || dependency === repository.name
    const isKnown = isOwn || OF_INFRASTRUCTURE.includes(dependency)
    if (!isKnown && !Object.hasOwn(repository.dependencies, dependency))
      throw new Error(`The code imports ${dependency}, which is missing in the dependencies of package.json`)
  }
}

function readCode(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .map((path) => readFileSync(join(folder, path), 'utf8'))
    .join('\n')
}
