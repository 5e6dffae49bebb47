import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

/** Runs a detection with a home folder of its own; returns what stands in that folder afterwards, and the process. */
async function detectAtHome(folder: string, home: string) {
  const inherited = Object.entries(process.env).filter(([name]) => name !== 'ORT_DISABLE_TELEMETRY')
  const picture = join(folder, 'grey.png')
  await sharp({ create: { width: 64, height: 64, channels: 3, background: '#777' } })
    .png()
    .toFile(picture)
  const detected = spawnSync(
    process.execPath,
    [
      join(projectRoot, 'dist', 'src', 'cli', 'main.js'),
      ...['detect', picture, '--model', join(projectRoot, 'models', 'parts', 'parts-int8.onnx')],
    ],
    {
      env: { ...Object.fromEntries(inherited), HOME: home, XDG_CACHE_HOME: join(home, 'cache') },
      encoding: 'utf8',
    },
  )
  return { detected, kept: readdirSync(home) }
}

t.test('a detection leaves nothing in the home folder and no log in /tmp', async (t) => {
  const folder = t.testdir({ home: {} })
  const { detected, kept } = await detectAtHome(folder, join(folder, 'home'))
  t.equal(detected.status, 0, detected.stderr)
  t.same(kept, [])
  t.notOk(existsSync(`/tmp/mat-debug-${detected.pid}.log`))
})
