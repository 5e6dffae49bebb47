import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' })
const skip = analyze.status === 0 ? false : 'systemd-analyze is not installed'

t.test('systemd-analyze verify finds nothing to say about the unit', { skip }, (t) => {
  const root = t.testdir()
  const units = join(root, 'etc', 'systemd', 'system')
  const command = join(root, 'usr', 'lib', 'yolo-edge', 'bin')
  mkdirSync(units, { recursive: true })
  mkdirSync(command, { recursive: true })
  copyFileSync(join(projectRoot, 'systemd', 'yolo-edge.service'), join(units, 'yolo-edge.service'))
  writeFileSync(join(command, 'yolo-edge'), '#!/bin/sh\n')
  chmodSync(join(command, 'yolo-edge'), 0o755)
  for (const unit of [
    'network-online.target',
    'time-sync.target',
    'multi-user.target',
    'sysinit.target',
    'basic.target',
    'shutdown.target',
  ]) {
    writeFileSync(join(units, unit), `[Unit]\nDescription=${unit}\n`)
  }
  const result = spawnSync('systemd-analyze', ['verify', `--root=${root}`, 'yolo-edge.service'], {
    encoding: 'utf8',
  })
  t.equal(result.stderr, '')
  t.equal(result.stdout, '')
  t.equal(result.status, 0)
  t.end()
})

t.test('the service is exposed to little', { skip }, (t) => {
  const unit = join(projectRoot, 'systemd', 'yolo-edge.service')
  const result = spawnSync(
    'systemd-analyze',
    ['security', '--offline=true', '--no-pager', '--threshold=25', unit],
    {
      encoding: 'utf8',
    },
  )
  t.equal(result.status, 0, result.stdout.trim().split('\n').at(-1) ?? '')
  t.end()
})
