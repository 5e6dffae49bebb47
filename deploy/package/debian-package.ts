/**
 * The Debian package of an installed program.
 * Invariant: the same tree and release give the same bytes: names are sorted, owners are root, moments are the release's.
 */

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { settle, type Release } from './program-tree.js'
import type { Target } from './target.js'

/** How much work goes into making the package small: `best` is for releases, `fast` for trials. */
export type Effort = 'best' | 'fast'

/** Modes that differ from 0755 for folders and programs and 0644 for other files. */
const modes: Readonly<Record<string, number>> = { 'etc/yolo-edge': 0o750, 'etc/yolo-edge/keys': 0o700 }

/** The dpkg-deb options of an effort. One thread, so that the bytes do not depend on the machine. */
const compression: Readonly<Record<Effort, readonly string[]>> = {
  best: ['-Zxz', '-z9', '-Sextreme', '--threads-max=1'],
  fast: ['-Zgzip', '-z1'],
}

/** Adds to `tree`, a program as layProgram leaves it, what the system needs: the unit, settings, overrides, change log. */
export function layService(root: string, tree: string, release: Release): void {
  const put = (path: string, bytes: string | Uint8Array): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true })
    writeFileSync(join(tree, path), bytes)
  }
  const own = (name: string): Buffer => readFileSync(join(root, 'deploy/package/debian', name))
  put('lib/systemd/system/yolo-edge.service', readFileSync(join(root, 'systemd/yolo-edge.service')))
  put('etc/yolo-edge/environment', own('environment'))
  mkdirSync(join(tree, 'etc/yolo-edge/keys'), { recursive: true })
  put('usr/share/lintian/overrides/yolo-edge', own('lintian-overrides'))
  put('usr/share/doc/yolo-edge/changelog.gz', gzipSync(changeLog(release), { level: 9 }))
}

/** Writes `tree` as a package for `target` to `file`. `tree` gets the control files and settled modes. */
export function writeDebianPackage(
  root: string,
  tree: string,
  file: string,
  release: Release & { readonly target: Target; readonly effort: Effort },
): void {
  const installedBytes = bytesBelow(tree)
  const control = join(tree, 'DEBIAN')
  mkdirSync(control)
  for (const name of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(root, 'deploy/package/debian', name), join(control, name))
  }
  writeFileSync(join(control, 'conffiles'), '/etc/yolo-edge/environment\n')
  writeFileSync(join(control, 'control'), controlFile(release.version, release.target, installedBytes))
  writeFileSync(join(control, 'md5sums'), checkSums(tree))
  settle(tree, release.moment, {
    ...modes,
    'DEBIAN/postinst': 0o755,
    'DEBIAN/prerm': 0o755,
    'DEBIAN/postrm': 0o755,
  })
  const options = [...compression[release.effort], '--root-owner-group', '--build', tree, file]
  execFileSync('dpkg-deb', options, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      SOURCE_DATE_EPOCH: String(release.moment),
      DPKG_DEB_THREADS_MAX: '1',
      XZ_DEFAULTS: '',
    },
  })
}

function controlFile(version: string, target: Target, installedBytes: number): string {
  return `Package: yolo-edge
Version: ${version}
Architecture: ${target.debian}
Maintainer: ${maintainer()}
Installed-Size: ${Math.ceil(installedBytes / 1024)}
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8), passwd, init-system-helpers (>= 1.52)
Recommends: ffmpeg, ca-certificates
Suggests: mosquitto, fswebcam
Section: misc
Priority: optional
Description: YOLOv8 detectors on edge devices, delivered over MQTT
 An agent that pulls compressed YOLOv8 models over MQTT, picks the variant
 that fits the hardware, runs it on cameras, streams what it detects and
 reports latency and accuracy. It holds the compressor as well: pruning,
 restoration and quantization.
 .
 The package brings its own Node.js and inference library.
`
}

function changeLog({ version, moment }: Release): string {
  const date = new Date(moment * 1000).toUTCString().replace('GMT', '+0000')
  return `yolo-edge (${version}) stable; urgency=medium

  * Release ${version}.

 -- ${maintainer()}  ${date}
`
}

/** Who answers for the package: DEBFULLNAME and DEBEMAIL, as Debian's own tools read them. */
function maintainer(): string {
  const name = process.env['DEBFULLNAME'] ?? 'yolo-edge-agent'
  return `${name} <${process.env['DEBEMAIL'] ?? 'packages@localhost'}>`
}

/** Every regular file below `folder`, as paths relative to it, sorted; control files of a package are left out. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('DEBIAN/'))
    .sort()
}

/** Bytes of all regular files below `folder`. */
export function bytesBelow(folder: string): number {
  return filesBelow(folder).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0)
}

/** What dpkg compares installed files with: MD5 and the path, for all but settings. */
function checkSums(tree: string): string {
  const files = filesBelow(tree).filter((path) => !path.startsWith('etc/'))
  return execFileSync('md5sum', files, { cwd: tree, encoding: 'utf8', maxBuffer: 1 << 24 })
}
