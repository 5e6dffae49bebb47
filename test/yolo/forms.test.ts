/** Which forms of an export are served, and which are refused by name with a remedy: one row a form. */

import t from 'tap'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { applyPatch } from '../../src/onnx/patch.js'
import { AgentError } from '../../src/base/errors.js'
import { floatEnds } from '../../src/compress/passes/float-ends.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { exportForms, withFinalBoxes, withFurtherBranch } from '../helpers/export-forms.js'
import { exportNames, halfExportNames, readExport } from '../helpers/exports.js'

const network = importModel(readExport('newest'))
const dynamic = importModel(readExport('opset13-raw-dynamic'))
const bare: Graph = { ...network, metadata: new Map() }

function told(graph: Graph, entries: Readonly<Record<string, string>>): Graph {
  return { ...graph, metadata: new Map([...graph.metadata, ...Object.entries(entries)]) }
}

/** What reading the bytes of `graph` comes to: the kind of its outputs, or the refusal with its remedy. */
function verdictOf(bytes: Uint8Array): string {
  try {
    const graph = importModel(bytes)
    const patch = floatEnds.patch(graph)
    return describeModel(patch === undefined ? graph : applyPatch(graph, patch)).output.kind
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown
    return `${thrown.message} -> ${thrown.hint ?? 'no remedy'}`
  }
}

const served: readonly (readonly [string, Uint8Array, 'decoded' | 'boxes'])[] = [
  ...[...exportNames, ...halfExportNames]
    .filter((name) => name !== 'opset14-raw-batch2')
    .map((name) => [name, readExport(name), 'decoded'] as const),
  ...[...exportForms(network)].map(([name, graph]) => [name, exportModel(graph), 'decoded'] as const),
  ['no metadata', exportModel(bare), 'decoded'],
  ['an empty name', exportModel(told(network, { names: "{0: 'a', 1: '', 2: 'c'}" })), 'decoded'],
  ['equal names', exportModel(told(network, { names: "{0: 'a', 1: 'a', 2: 'c'}" })), 'decoded'],
  ['final boxes', exportModel(withFinalBoxes(network, 20)), 'boxes'],
  ['final boxes, no metadata', exportModel(withFinalBoxes(bare, 20)), 'boxes'],
]

for (const [name, bytes, kind] of served) {
  t.test(`served: ${name}`, (t) => {
    t.equal(verdictOf(bytes), kind)
    t.end()
  })
}

const refused: readonly (readonly [string, Graph | Uint8Array, RegExp])[] = [
  ['a batch of two', readExport('opset14-raw-batch2'), /takes 2 pictures at once.* -> .*batch=1/],
  ['an old operator set', { ...network, opsets: new Map([['', 9]]) }, /operator set 9.* -> .*opset=17/],
  ['no size', { ...dynamic, metadata: new Map() }, /dynamic and the file has no imgsz.* -> .*--size/],
  ['too few names', told(network, { names: "{0: 'a', 1: 'b'}" }), /3 classes, and the metadata names 2 -> /],
  ['a name missing', told(network, { names: "{0: 'a', 2: 'c'}" }), /class 1 is missing -> /],
  ...['segment', 'pose', 'obb', 'classify'].map(
    (task) => [`task ${task}`, told(network, { task }), /its task is .*expected "detect" -> /] as const,
  ),
  ...[1, 32, 51].map(
    (channels) =>
      [
        `a branch more of ${channels} channels`,
        withFurtherBranch(bare, channels),
        /outlines, poses or turned boxes -> |is no plain detector -> |of another family -> /,
      ] as const,
  ),
  [
    'outputs of no known shape',
    { ...network, outputs: [{ ...network.outputs[0]!, shape: [1, 7, 100, 2, 2] }] },
    /expected \[1,4\+classes,anchors\], final boxes .* -> /,
  ],
  [
    'another count of anchors',
    { ...network, outputs: [{ ...network.outputs[0]!, shape: [1, 7, 100] }] },
    /has 100 anchors; a 64x64 input has 84 -> /,
  ],
]

for (const [name, form, expected] of refused) {
  t.test(`refused: ${name}`, (t) => {
    const verdict = verdictOf(form instanceof Uint8Array ? form : exportModel(form))
    t.match(verdict, expected)
    t.notMatch(verdict, /no remedy/)
    t.end()
  })
}
