/** Every command that opens cameras, with passwords in their addresses. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inParallel } from '../../src/base/in-parallel.js'
import { type AgentLab, labModel } from './agent-lab.js'
import type { Teardowns } from './processes.js'
import { startMuteServer, type WatchedRun, watchRun } from './secret-cameras.js'

/** Cameras in one file of settings: a device takes 64 at the most. */
const camerasMax = 50
const version = '1.0.0'

/**
 * What `doctor`, `detect` and `run` say of cameras with these passwords, which nobody answers for. `run` serves a model of `lab`, and
 * what it publishes counts as said. Raw passwords go to `detect` alone: settings refuse them before a camera is opened.
 */
export async function runsWithCameras(
  t: Teardowns,
  lab: AgentLab,
  secrets: readonly string[],
): Promise<readonly (readonly [command: string, run: WatchedRun])[]> {
  const { port } = await startMuteServer(t)
  const sourceOf = (secret: string, index: number): string =>
    `${index % 2 === 0 ? 'rtsp' : 'http'}://admin:${secret}@127.0.0.1:${port}/ch${index}`
  const encoded = secrets.map((secret, index) => sourceOf(encodeURIComponent(secret), index))
  await lab.publish(version)
  await lab.wish(version)
  let published = ''
  lab.viewer.subscribe([`${lab.topics.root}/#`], 0, ({ topic, payload }) => {
    published += `${topic} ${Buffer.from(payload).toString('latin1')}\n`
  })

  const runs: (readonly [string, WatchedRun])[] = []
  for (let first = 0; first < secrets.length; first += camerasMax) {
    const cameras = encoded
      .slice(first, first + camerasMax)
      .map((source, index) => ({ name: `c${index}`, source }))
    const file = join(lab.folder, `device-${first}.yaml`)
    writeFileSync(file, JSON.stringify(settingsWith(lab, cameras)))
    runs.push(['doctor', await watchRun(['doctor', '--config', file])])
    const hasTried = (said: string): boolean =>
      cameras.every(({ name }) => new RegExp(`camera"?[ :"]+${name}\\b`).test(said))
    const ran = await watchRun(['run', '--config', file], hasTried)
    runs.push(['run', { ...ran, said: ran.said + published }])
  }
  const detect = (source: string): Promise<WatchedRun> => watchRun(['detect', source, '--model', labModel])
  for (const [command, sources] of [
    ['detect', encoded],
    ['detect, raw', secrets.map(sourceOf)],
  ] as const) {
    for (const run of await inParallel(sources, 3, detect)) runs.push([command, run])
  }
  return runs
}

/** The settings of the lab's device with these cameras, as a file has them. */
function settingsWith(lab: AgentLab, cameras: readonly object[]): object {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const [name, value] of lab.settings) {
    const [section = '', key] = name.split('.')
    if (key !== undefined) sections[section] = { ...sections[section], [key]: value }
  }
  return { ...sections, cameras }
}
