/**
 * The Debian packages as a device meets them: made twice with the same bytes, looked at by lintian, installed in a clean Debian
 * root, a model received over MQTT and something detected, upgraded, downgraded, removed, purged; that of arm64 under qemu.
 * Exit status 1 at the first step that is not as it should be. Takes minutes and fetches packages on its first run.
 *
 *     npm run test:packages [-- --suite bookworm] [--keep FOLDER]
 *
 * FOLDER (default ~/.cache/yolo-edge/roots) keeps the clean root for the next run.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fixture, projectRoot } from '../helpers/paths.js'
import { ServedDevice } from './served-device.js'
import { DebianRoot, missingTools } from './root.js'

const installedLimitBytes = 150e6
const emulator = '/usr/bin/qemu-aarch64-static'
const armLibraries = '/usr/aarch64-linux-gnu'

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'bookworm' },
    keep: { type: 'string', default: join(homedir(), '.cache', 'yolo-edge', 'roots') },
  },
})
const startedAt = performance.now()

/** Says what was found, and ends the run when it is not as it should be. */
function expect(holds: boolean, text: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  process.stdout.write(`${holds ? 'ok    ' : 'NOT OK'}  ${seconds.padStart(4)} s  ${text}\n`)
  if (!holds) throw new Error(text)
}

function makePackages(out: string, release: string, target: string): string {
  const program = join(projectRoot, 'dist/deploy/package/main.js')
  const args = ['--out', out, '--release', release, '--target', target, '--effort', 'fast']
  execFileSync(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return join(out, `yolo-edge_${release}_${target}.deb`)
}

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

function sizeOf(deb: string): number {
  const text = execFileSync('dpkg-deb', ['--field', deb, 'Installed-Size'], { encoding: 'utf8' })
  return Number(text) * 1024
}

function lookAt(deb: string): void {
  const bytes = sizeOf(deb)
  expect(bytes <= installedLimitBytes, `${deb.split('/').at(-1)!} installs ${(bytes / 1e6).toFixed(2)} MB`)
  if (!existsSync('/usr/bin/lintian')) return
  const run = (): string => execFileSync('lintian', ['--fail-on', 'error', deb], { encoding: 'utf8' })
  const text = run()
  expect(!/^E:/m.test(text), `lintian finds no error${text === '' ? '' : `: ${text.trim()}`}`)
}

interface Boxes {
  readonly pictures: readonly { readonly detections: readonly unknown[] }[]
}

const model = 'models/parts/parts.onnx'

/** What the program of this checkout finds in `picture`. */
function boxesHere(picture: string): string {
  const program = join(projectRoot, 'dist/src/cli/main.js')
  const args = [program, 'detect', picture, '-m', join(projectRoot, model), '--json']
  return found(
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
}

function found(json: string): string {
  return JSON.stringify((JSON.parse(json) as Boxes).pictures[0]!.detections)
}

/** A picture of parts on a conveyor, as the checkout draws it. */
function drawPicture(folder: string): string {
  const program = join(projectRoot, 'dist/src/cli/main.js')
  const args = [program, 'generate', folder, '--train', '1', '--val', '1', '--golden', '1']
  execFileSync(process.execPath, args, { stdio: 'ignore' })
  return execFileSync(
    'find',
    [folder, '-path', '*val*', '-name', '*.png', '-o', '-path', '*val*', '-name', '*.jpg'],
    {
      encoding: 'utf8',
    },
  )
    .trim()
    .split('\n')[0]!
}

const settings = '/etc/yolo-edge/device.yaml'

/** Installs `deb` as an administrator would, whatever is installed now. */
function install(root: DebianRoot, deb: string): void {
  const name = deb.split('/').at(-1)!
  cpSync(deb, join(root.folder, 'tmp', name))
  root.run('apt-get', 'install', '-y', '--no-install-recommends', '--allow-downgrades', `/tmp/${name}`)
  rmSync(join(root.folder, 'tmp', name))
}

/** What has to survive another version: settings with owner and mode, and the folder of models. */
function keptState(root: DebianRoot): string {
  const look = `stat -c '%n %U %a' ${settings} && sha256sum ${settings} /var/lib/yolo-edge/blobs/*`
  return root.run('sh', '-c', look)
}

async function live(work: string, debs: readonly [string, string], picture: string): Promise<void> {
  const [first, second] = debs
  const root = new DebianRoot(values.suite, values.keep, join(work, 'root'))
  const device = await ServedDevice.start(root, picture)
  try {
    // What the package depends on stays when it goes: only its own files are looked for.
    root.run(
      'apt-get',
      'install',
      '-y',
      '--no-install-recommends',
      'libstdc++6',
      'passwd',
      'init-system-helpers',
    )
    const before = root.paths()
    install(root, first)
    expect(true, `installed in a clean ${values.suite}`)
    expect(root.run('yolo-edge', '--version').trim() === '0.1.0', 'it says its version')
    cpSync(picture, join(root.folder, 'tmp/picture.png'))
    const there = root.run(
      'yolo-edge',
      'detect',
      '/tmp/picture.png',
      '-m',
      `/usr/lib/yolo-edge/${model}`,
      '--json',
    )
    expect(
      found(there) === boxesHere(picture) && found(there).length > 2,
      'detect finds what the checkout finds',
    )
    await device.setUp(settings)
    const modes = root.run('stat', '-c', '%U %a', settings, '/etc/yolo-edge/keys').trim().split('\n')
    expect(
      modes.join() === 'yolo-edge 600,yolo-edge 700',
      `settings and keys belong to the service: ${modes.join()}`,
    )
    const seconds = await device.serve('publish')
    expect(true, `from the start to the first detection, update included: ${seconds.toFixed(1)} s`)
    const kept = keptState(root)
    for (const [deb, what] of [
      [second, 'upgrade to 0.2.0'],
      [first, 'downgrade to 0.1.0'],
    ] as const) {
      install(root, deb)
      expect(keptState(root) === kept, `${what} keeps settings and models`)
      const again = await device.serve('nothing')
      expect(
        true,
        `after the ${what} it serves the model that it has: first detection after ${again.toFixed(1)} s`,
      )
    }
    root.run('apt-get', 'remove', '-y', 'yolo-edge')
    expect(
      !existsSync(join(root.folder, 'usr/lib/yolo-edge')) && existsSync(join(root.folder, settings)),
      'remove takes the program and leaves the settings',
    )
    root.run('apt-get', 'purge', '-y', 'yolo-edge')
    const left = root.paths().filter((path) => !before.includes(path) && path.includes('yolo'))
    expect(left.length === 0, `purge leaves nothing: ${left.join(', ')}`)
    const people = root.run('sh', '-c', 'cat /etc/passwd /etc/group /etc/shadow')
    expect(!people.includes('yolo-edge'), 'nor the user')
  } finally {
    await device.stop()
    root.remove()
  }
}

/** The package of npm, installed as a user would in a folder of their own. */
function liveFromNpm(work: string, archive: string, picture: string): void {
  const folder = join(work, 'npm')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  execFileSync('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', archive], {
    cwd: folder,
    stdio: 'ignore',
  })
  const installed = join(folder, 'node_modules/yolo-edge-agent', model)
  const args = ['--no', 'yolo-edge', '--', 'detect', picture, '-m', installed, '--json']
  const text = execFileSync('npx', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  expect(found(text) === boxesHere(picture), 'the package of npm installs and detects the same')
}

/** The package of arm64 unpacked, and its program run with the processor of a board. */
function liveEmulated(work: string, deb: string, picture: string): void {
  if (!existsSync(emulator) || !existsSync(join(armLibraries, 'lib/libstdc++.so.6'))) {
    process.stdout.write(
      'left out: arm64; apt-get install qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross\n',
    )
    return
  }
  const tree = join(work, 'arm64')
  execFileSync('dpkg-deb', ['-x', deb, tree])
  const files = JSON.parse(readFileSync(fixture('boards', 'pi-5.json'), 'utf8')) as Record<string, string>
  writeFileSync(join(work, 'cpuinfo'), files['/proc/cpuinfo']!)
  const program = join(tree, 'usr/lib/yolo-edge')
  const command = [
    emulator,
    '-cpu',
    'max',
    '-L',
    armLibraries,
    join(program, 'bin/node'),
    join(program, 'dist/src/cli/main.js'),
  ]
  const script = 'mount --bind "$0" /proc/cpuinfo && exec "$@"'
  const args = ['--mount', 'sh', '-c', script, join(work, 'cpuinfo'), ...command]
  const detect = ['detect', picture, '-m', join(program, model), '--json']
  const text = execFileSync('unshare', [...args, ...detect], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const there = JSON.parse(text) as { pictures: { detections: { name: string; score: number }[] }[] }
  const names = (json: string): string =>
    (JSON.parse(json) as { name: string }[])
      .map(({ name }) => name)
      .sort()
      .join()
  expect(
    names(found(JSON.stringify(there))) === names(boxesHere(picture)),
    `arm64 under emulation detects the same objects: ${names(found(text))}`,
  )
}

async function run(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'yolo-edge-packages-'))
  try {
    for (const name of ['a', 'b']) mkdirSync(join(work, name))
    const first = makePackages(join(work, 'a'), '0.1.0', 'amd64')
    expect(
      digestOf(first) === digestOf(makePackages(join(work, 'b'), '0.1.0', 'amd64')),
      'the same bytes twice',
    )
    lookAt(first)
    const second = makePackages(join(work, 'a'), '0.2.0', 'amd64')
    const arm = makePackages(join(work, 'a'), '0.1.0', 'arm64')
    lookAt(arm)
    const picture = drawPicture(join(work, 'data'))
    await live(work, [first, second], picture)
    liveFromNpm(work, join(work, 'a', 'yolo-edge-agent-0.1.0.tgz'), picture)
    liveEmulated(work, arm, picture)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const missing = missingTools()
if (missing === undefined) {
  await run().catch((thrown: unknown) => {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
    process.exitCode = 1
  })
} else {
  process.stdout.write(`not run: ${missing}\n`)
  process.exitCode = 77
}
