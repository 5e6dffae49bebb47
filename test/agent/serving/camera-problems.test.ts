import { symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cameraProblems } from '../../../src/agent/serving/camera-problems.js'

function problemsOf(...sources: readonly string[]): readonly string[] {
  const cameras = sources.map((source, index) => ({ name: `c${index}`, source, maxFps: 0, loop: false }))
  return cameraProblems(cameras).map(({ detail }) => detail)
}

t.test('addresses that are not understood, each by the name of its camera, without the password', (t) => {
  t.same(
    problemsOf('rtsp://cam/1', 'rtsp://cam/1', 'clip.mp4', '/dev/video7', 'csi://0', 'libcamera://0'),
    [],
  )
  const problems = problemsOf('rtsp://u:Top/Secret1@cam/1', 'gopher://x', 'rtsp://cam:Secret1/x')
  t.match(problems, [
    /^camera c0: .*percent-encoded/,
    /^camera c1: .*not known/,
    /^camera c2: .*rtsp:\/\/\*\*\* .*a port of digits/,
  ])
  t.notMatch(problems.join(), 'Secret1')
  t.match(cameraProblems([{ name: 'a', source: '/dev/video0', maxFps: 0, loop: true }]), [
    { cameras: ['a'], detail: /loop has no meaning/ },
  ])
  t.end()
})

t.test('two cameras on one device, under whatever names', (t) => {
  t.match(problemsOf('/dev/video99', 'v4l2://99'), [/c0 and c1: both are \/dev\/video99/])
  t.match(problemsOf('/dev/video99#size=640x480', 'webcam://99'), [/both are/])
  t.match(problemsOf('csi://1', 'csi://0', 'csi://1?fps=3'), [/c0 and c2: both are csi:\/\/1/])
  t.end()
})

t.test('a link that udev makes is the device it leads to', { skip: process.getuid?.() !== 0 }, (t) => {
  const link = join('/dev', `yolo-edge-test-${process.pid}`)
  symlinkSync('/dev/null', link)
  t.teardown(() => {
    unlinkSync(link)
  })
  t.match(problemsOf(link, 'v4l2:///dev/null'), [/both are \/dev\/null/])
  t.end()
})
