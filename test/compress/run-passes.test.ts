import t from 'tap'
import { runPasses } from '../../src/compress/run-passes.js'
import { floatTensor } from '../../src/onnx/tensor.js'
import { op, tinyGraph, value } from '../helpers/tiny-graph.js'

const graph = tinyGraph({
  inputs: [value('x', 2)],
  nodes: [op('Add', ['x', 'w'], ['sum']), op('Relu', ['sum'], ['y'])],
  outputs: [value('y', 2)],
  initializers: { w: floatTensor([2], [1, 2]) },
})

t.test('a pass with nothing to do leaves the graph itself', (t) => {
  t.equal(runPasses(graph, [{ name: 'nothing', patch: () => undefined }]), graph)
  t.end()
})

t.test('a pass that breaks the graph is named', (t) => {
  const dangling = { name: 'dangling', patch: () => ({ remove: [graph.nodes[0]!] }) }
  t.throws(() => runPasses(graph, [dangling]), {
    code: 'compress.pass_failed',
    message: /pass dangling .*sum/,
  })
  const twice = { name: 'twice', patch: () => ({ add: [op('Neg', ['x'], ['y'])] }) }
  t.throws(() => runPasses(graph, [twice]), { code: 'compress.pass_failed', message: /pass twice .*y/ })
  t.end()
})

t.test('a graph that is broken before the first pass is not blamed on it', (t) => {
  const broken = { ...graph, outputs: [value('z', 2)] }
  t.throws(() => runPasses(broken, []), { code: 'model.graph_invalid' })
  t.end()
})

t.test('whoever listens hears every pass with the graph that it left', (t) => {
  const heard: [string, number][] = []
  const drop = { name: 'drop', patch: () => ({ remove: [graph.nodes[1]!], outputs: [value('sum', 2)] }) }
  runPasses(graph, [{ name: 'nothing', patch: () => undefined }, drop], (name, { nodes }) => {
    heard.push([name, nodes.length])
  })
  t.same(heard, [
    ['nothing', 2],
    ['drop', 1],
  ])
  t.end()
})
