// A fake host in a temporary folder. The scripts of host/ run unchanged in it; test/fakes/ replaces the
// programs that use the network or change the machine.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('..', import.meta.url))
export const HOST_SCRIPTS = join(HERE, '../host')

/** The id of the EBS volume with the data of Redis. */
export const VOLUME = 'vol-0123456789abcdef0'

/** The instance id that the fake of curl returns. */
export const INSTANCE = 'i-0123456789abcdef0'

const ROLLOUT = `#!/usr/bin/env bash
cd "$(dirname "$0")/.."
echo "rollout.sh $1 over $(sed -n s/^WAGGLE_TAG=//p .env)" >> "$FAKES/calls"
`

export interface FakeHost {
  /** Root of its file system. */
  root: string
  run(script: string, ...args: string[]): Promise<{ code: number; output: string }>
  /** Writes a file for the fakes. For some fakes the existence of an empty file is enough. */
  fake(name: string, content?: string): void
  /**
   * Creates the files that bootstrap.sh leaves after a rollout of the tag. @returns the folder of the release
   */
  pretendToRun(tag: string): string
  /** Removes a file for the fakes. */
  repair(name: string): void
  /** Attaches the EBS volume of Redis. @param content what blkid prints about it; blank by default */
  attachVolume(content?: string): void
  /** Creates images with a tag. `rollout` is the body of their docker/rollout.sh. */
  addImages(tag: string, rollout?: string): void
  read(path: string): string
  /** Returns the command lines of all fakes since the last call. */
  calls(): string[]
  remove(): void
}

export interface Identity {
  environment: string
  role: string
  name: string
}

/** @param parameters contents of Parameter Store, by full name */
export function createFakeHost(
  parameters: Record<string, string>,
  { environment, role, name }: Identity,
): FakeHost {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-fake-host-'))
  const root = join(folder, 'root')
  const fakes = join(folder, 'fakes')
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  write(join(root, 'etc/fstab'), 'LABEL=cloudimg-rootfs / ext4 defaults 0 1\n')
  write(join(root, 'var/log/cloud-init-output.log'), 'Preparing this host\n\na line with "quotes"\n')
  for (const [tag, value] of Object.entries({ Environment: environment, Role: role, Host: name }))
    write(join(fakes, 'tags', tag), value)
  write(join(fakes, 'parameters.json'), JSON.stringify(parameters))

  return {
    root,
    run: (script, ...args) =>
      new Promise((resolve, reject) => {
        const env = {
          PATH: `${join(HERE, 'fakes')}:${process.env.PATH}`,
          HOME: root,
          FAKES: fakes,
          WAGGLE_ROOT: root,
          WAGGLE_PAUSE_SECONDS: '0',
        }
        const child = spawn('bash', [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
        let output = ''
        for (const stream of [child.stdout, child.stderr])
          stream.setEncoding('utf8').on('data', (text) => {
            output += text
          })
        child.on('error', reject).on('close', (code) => resolve({ code: code ?? -1, output }))
      }),
    fake: (file, content = '') => write(join(fakes, file), content),
    repair: (file) => rmSync(join(fakes, file)),
    attachVolume(content = '') {
      const byId = join(root, 'dev/disk/by-id')
      write(join(root, 'dev/nvme1n1'), content)
      mkdirSync(byId, { recursive: true })
      symlinkSync('../../nvme1n1', join(byId, `nvme-Amazon_Elastic_Block_Store_${VOLUME.replace('-', '')}`))
    },
    addImages(tag, rollout = 'exit 0') {
      const image = join(fakes, 'images', tag)
      cpSync(HOST_SCRIPTS, join(image, 'host'), { recursive: true })
      write(join(image, 'docker-compose.yml'), `name: waggle # of ${tag}\n`)
      const script = join(image, 'docker/rollout.sh')
      write(script, `${ROLLOUT}${rollout}\n`)
      chmodSync(script, 0o755)
    },
    pretendToRun(tag) {
      const home = join(root, 'opt/waggle')
      mkdirSync(join(home, 'releases'), { recursive: true })
      cpSync(join(fakes, 'images', tag), join(home, 'releases', tag), { recursive: true })
      symlinkSync(join(root, 'run/waggle/env'), join(home, 'releases', tag, '.env'))
      symlinkSync(`releases/${tag}`, join(home, 'current'))
      write(join(root, 'etc/waggle/prepared'), '')
      write(join(root, 'etc/systemd/system/waggle.service'), '')
      write(
        join(root, 'etc/waggle/identity'),
        `ENVIRONMENT=${environment}\nROLE=${role}\nHOST_NAME=${name}\nINSTANCE_ID=${INSTANCE}\nPRIVATE_ADDRESS=10.30.0.5\n`,
      )
      return join(home, 'releases', tag)
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
    calls() {
      const path = join(fakes, 'calls')
      if (!existsSync(path)) return []
      const lines = readFileSync(path, 'utf8').trim().split('\n')
      rmSync(path)
      return lines
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
