/**
 * The tracker beside those of Ultralytics (ByteTrack and BoT-SORT, camera motion off) on the same detections: HOTA, IDF1, MOTA,
 * and time per frame.
 *
 *     npm run bench -- tracking --python PYTHON_WITH_ULTRALYTICS [--json FILE ...]
 *
 * Sequences are conveyors with known truth; files of `tracking-clips` add real clips.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type TrackedFrame, trackingMetrics } from '../../src/evaluation/tracking-metrics.js'
import { Tracker } from '../../src/tracking/tracker.js'
import { conveyorSequence, type SequenceFrame } from '../helpers/conveyor-sequence.js'
import { projectRoot } from '../helpers/paths.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string' }, seconds: { type: 'string', default: '60' } },
})
const sequences: { readonly name: string; readonly frames: readonly SequenceFrame[] }[] = []
for (const kind of ['occlusion', 'crossing', 'leaving'] as const)
  for (const fps of [5, 15, 30])
    sequences.push({
      name: `${kind} ${fps} fps`,
      frames: conveyorSequence({ kind, fps, seconds: Number(values.seconds), seed: fps }),
    })
for (const path of positionals)
  sequences.push({ name: path, frames: JSON.parse(readFileSync(path, 'utf8')) as SequenceFrame[] })

type Tracks = readonly TrackedFrame['tracked'][]

function ownTracks(frames: readonly SequenceFrame[]): Tracks {
  const tracker = new Tracker()
  return frames.map(({ atMs, detections }) => {
    const ids = tracker.update(detections, atMs)
    return detections.flatMap((box, index) => (ids[index]! > 0 ? [{ ...box, id: ids[index]! }] : []))
  })
}

/** Time in the tracker alone, milliseconds a frame; the sequences are tracked several times, the fastest counts. */
function ownMsPerFrame(): number {
  let least = Infinity
  for (let round = 0; round < 5; round++) {
    let frames = 0
    const startMs = performance.now()
    for (const sequence of sequences) {
      const tracker = new Tracker()
      for (const { atMs, detections } of sequence.frames) tracker.update(detections, atMs)
      frames += sequence.frames.length
    }
    least = Math.min(least, (performance.now() - startMs) / frames)
  }
  return least
}

interface Peer {
  readonly tracks: readonly Tracks[]
  readonly msPerFrame: number
}

function peerTracks(name: string): Peer | undefined {
  if (values.python === undefined) return undefined
  const input = sequences.map(({ frames }) =>
    frames.map(({ detections }) =>
      detections.map(({ x1, y1, x2, y2, score, classIndex }) => [x1, y1, x2, y2, score, classIndex]),
    ),
  )
  const script = join(projectRoot, 'test', 'bench', 'peers', 'track.py')
  const { stdout, status, stderr } = spawnSync(values.python, [script, name], {
    input: JSON.stringify(input),
    maxBuffer: 1e9,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  const { tracks, seconds } = JSON.parse(stdout.slice(stdout.indexOf('{"tracks"'))) as {
    readonly tracks: readonly (readonly number[][][])[]
    readonly seconds: number
  }
  const frames = sequences.reduce((sum, sequence) => sum + sequence.frames.length, 0)
  return {
    tracks: tracks.map((sequence) =>
      (sequence as unknown as number[][][]).map((rows) =>
        rows.map(([x1, y1, x2, y2, id]) => ({ x1: x1!, y1: y1!, x2: x2!, y2: y2!, id: id! })),
      ),
    ),
    msPerFrame: (seconds * 1000) / frames,
  }
}

const peers = ['bytetrack', 'botsort'].map((name) => ({ name, result: peerTracks(name) }))
console.log('| sequence | tracker | HOTA | IDF1 | MOTA | switches | fragmentations |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const [index, { name, frames }] of sequences.entries()) {
  const row = (tracker: string, tracks: Tracks): void => {
    const figures = trackingMetrics(frames.map(({ truth }, at) => ({ truth, tracked: tracks[at]! })))
    const shares = [figures.hota, figures.idf1, figures.mota].map((share) => (share * 100).toFixed(2))
    console.log(`| ${[name, tracker, ...shares, figures.switches, figures.fragmentations].join(' | ')} |`)
  }
  row('ours', ownTracks(frames))
  for (const { name: peer, result } of peers) if (result !== undefined) row(peer, result.tracks[index]!)
}
const own = ownMsPerFrame()
console.log(`\nours: ${(own * 1000).toFixed(1)} µs a frame`)
for (const { name, result } of peers)
  if (result !== undefined)
    console.log(
      `${name}: ${(result.msPerFrame * 1000).toFixed(1)} µs a frame, ${(result.msPerFrame / own).toFixed(0)} times ours`,
    )
