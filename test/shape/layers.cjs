// Which folder of src/ may import which: an import goes only downward. One row a folder; dependency-cruiser enforces it.
const L0 = ['base']
const L1 = ['onnx', 'yolo', 'evaluation', 'protocol', 'tracking', 'zones']
const L2 = ['camera', 'runtime', 'transport', 'store', 'hardware', 'config', 'compress', 'training']
const L3 = ['update', 'pipeline', 'telemetry', 'dashboard']

const allowed = {
  base: [],
  onnx: L0,
  yolo: L0.concat('onnx'),
  evaluation: L0.concat('yolo'),
  protocol: L0.concat('yolo'),
  tracking: L0.concat('yolo'),
  zones: L0.concat('yolo', 'protocol'),
  camera: L0.concat('yolo'),
  runtime: L0.concat('onnx', 'yolo'),
  transport: L0.concat('protocol'),
  store: L0.concat('protocol'),
  hardware: L0,
  config: L0.concat('protocol', 'zones'),
  compress: L0.concat('onnx', 'yolo', 'evaluation'),
  training: L0.concat('onnx', 'yolo', 'evaluation'),
  update: L0.concat('yolo', 'evaluation', 'protocol'),
  pipeline: L0.concat('yolo', 'evaluation', 'protocol', 'tracking', 'zones'),
  telemetry: L0.concat('yolo', 'evaluation', 'protocol'),
  dashboard: L0.concat('yolo', 'protocol'),
  agent: [...L0, ...L1, ...L2, ...L3],
  cli: [...L0, ...L1, ...L2, ...L3, 'agent'],
}

/** Vendor package -> the only folders that may import it. */
const vendors = {
  'onnxruntime-node': ['runtime'],
  koffi: ['runtime', 'agent'],
  mqtt: ['transport', 'dashboard'],
  aedes: ['transport'],
  sharp: ['camera'],
  '@cwasm/nsbmp': ['camera'],
  'node-webcam': ['camera'],
  systeminformation: ['hardware', 'telemetry'],
  convict: ['config'],
  yaml: ['config', 'evaluation'],
  commander: ['cli'],
  pino: ['agent', 'cli'],
  '@bufbuild/protobuf': ['onnx'],
  preact: ['dashboard'],
  '@preact/signals': ['dashboard'],
  uplot: ['dashboard'],
  valibot: ['protocol', 'compress', 'evaluation', 'store'],
  'prom-client': ['telemetry'],
  '@valibot/to-json-schema': ['protocol'],
}

const folderRules = Object.entries(allowed).map(([folder, below]) => ({
  name: `layer-${folder}`,
  severity: 'error',
  comment: `src/${folder} may import only: ${[folder, ...below].join(', ')}. Name what you need as a port and let src/agent plug it in.`,
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...below].join('|')})/` },
}))

const vendorRules = Object.entries(vendors).map(([name, folders]) => ({
  name: `vendor-${name}`,
  severity: 'error',
  comment: `${name} is used only in: ${folders.join(', ')}. Wrap what you need there.`,
  from: { path: '^src/', pathNot: `^src/(${folders.join('|')})/` },
  to: { path: `node_modules/${name}/` },
}))

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Move the shared part down a layer.',
      from: {},
      to: { circular: true },
    },
    { name: 'src-not-to-test', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
    {
      name: 'pure-folders',
      severity: 'error',
      comment:
        'onnx, yolo, evaluation, protocol, tracking, zones, compress and training do no I/O: take bytes and values, or a port.',
      from: { path: '^src/(onnx|yolo|evaluation|protocol|tracking|zones|compress|training)/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer|zlib)$' },
    },
    {
      name: 'known-folders',
      severity: 'error',
      comment: 'A new folder of src/ needs a row in this table.',
      from: { path: '^src/', pathNot: `^src/(${Object.keys(allowed).join('|')})/` },
      to: {},
    },
    ...folderRules,
    ...vendorRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
}
