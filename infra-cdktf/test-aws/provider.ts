// Puts the AWS provider of Terraform into a local mirror (.tools/mirror), for `npm run test:aws`. Downloads
// it from the registry of Terraform. Where that cannot be reached, builds it with Go from the module proxy,
// which takes up to an hour, 5 GB of memory and 10 GB of disk.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROVIDER_MIRROR, providerVersions } from './support/tools.ts'

/** The version of the bindings, which the registry has. */
const RELEASE = '6.25.0'

/**
 * The version that the module proxy has. Its releases have tags that the proxy cannot serve (v6.x without /v6
 * in the module path), so the version is a commit.
 */
const MODULE = 'github.com/hashicorp/terraform-provider-aws'
const COMMIT = 'v1.60.1-0.20260602190131-5f2286d6d836'
const BUILT_VERSION = '6.47.1'

const existing = providerVersions()
if (existing.length > 0) say(`The provider is there: ${existing.join(', ')}`)
else if (download()) say('Downloaded the provider')
else build()

/** Downloads the provider. @returns false if the registry cannot be reached */
function download(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-provider-'))
  const required = { aws: { source: 'hashicorp/aws', version: RELEASE } }
  writeFileSync(join(folder, 'main.tf.json'), JSON.stringify({ terraform: { required_providers: required } }))
  const { status, stderr } = spawnSync('terraform', ['providers', 'mirror', '-no-color', PROVIDER_MIRROR], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1' },
    timeout: 10 * 60_000,
  })
  rmSync(folder, { recursive: true })
  if (status !== 0)
    say(`The registry of Terraform cannot be used: ${stderr?.replace(/[\s│╷╵]+/g, ' ').trim() ?? ''}`)
  return status === 0
}

/** Builds the provider. Its own go.mod selects the versions of its dependencies: it replaces none. */
function build(): void {
  const go = spawnSync('go', ['version'], { encoding: 'utf8' })
  if (go.status !== 0) throw new Error('Neither the registry of Terraform nor the program "go" can be used')
  const folder = mkdtempSync(join(tmpdir(), 'waggle-provider-'))
  const goEnv = (name: string) => execFileSync('go', ['env', name], { encoding: 'utf8' }).trim()
  const platform = `${goEnv('GOOS')}_${goEnv('GOARCH')}`
  const target = join(PROVIDER_MIRROR, 'registry.terraform.io/hashicorp/aws', BUILT_VERSION, platform)
  const program = `terraform-provider-aws_v${BUILT_VERSION}_x5`
  writeFileSync(join(folder, 'go.mod'), `module build\n\ngo 1.26\n\nrequire ${MODULE} ${COMMIT}\n`)
  say(`Building ${BUILT_VERSION} (${COMMIT}) with ${go.stdout.trim()}; this takes up to an hour`)
  const options = `-s -w -X ${MODULE}/version.ProviderVersion=${BUILT_VERSION}`
  execFileSync(
    'nice',
    ['-n', '15', 'go', 'build', '-mod=mod', '-buildvcs=false', '-ldflags', options, '-o', program, MODULE],
    { cwd: folder, stdio: 'inherit' },
  )
  mkdirSync(target, { recursive: true })
  // A copy in the mirror's folder first: the rename then makes it appear complete, from any file system.
  execFileSync('cp', [join(folder, program), join(target, `.${program}`)])
  renameSync(join(target, `.${program}`), join(target, program))
  rmSync(folder, { recursive: true })
  say(`Built ${readdirSync(target).join(', ')}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
