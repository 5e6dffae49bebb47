/** Every method of compression by channels and weights: how it is asked for, and where it is tested. */

export interface Method {
  readonly name: string
  /** Options of `yolo-edge compress`; `PLAN` stands for the folder of the plan files. */
  readonly command: string
  /** Below test/. */
  readonly tests: readonly string[]
}

export interface MethodGroup {
  readonly title: string
  /** Options that are added when the effect is measured, so that rows differ in the method alone. */
  readonly measuredWith?: string
  readonly methods: readonly Method[]
}

const sparsify = ['compress/sparsity/sparsify.test.ts']
const prune = ['compress/pruning/prune.test.ts']
const allocation = ['compress/pruning/allocation.test.ts']
const gradient = ['compress/pruning/gradient.test.ts', 'cli/compress/gradient-source.test.ts']

export const methodGroups: readonly MethodGroup[] = [
  {
    title: 'What is removed',
    methods: [
      { name: 'weights, by part of each layer', command: '--sparsity 0.3', tests: sparsify },
      { name: 'weights, by threshold', command: '--threshold 0.01', tests: sparsify },
      { name: 'weights, N:M', command: '--sparsity 0.5 --pattern 2:4', tests: sparsify },
      { name: 'kernels', command: '--sparsity 0.05 --pattern kernel', tests: sparsify },
      { name: 'filters, shapes kept', command: '--sparsity 0.01 --pattern channel', tests: sparsify },
      {
        name: 'channels (structured)',
        command: '--prune macs=0.8 --schedule uniform',
        tests: ['compress/pruning/remove-channels.test.ts', ...prune],
      },
      { name: 'layers (residual blocks)', command: '--plan PLAN/remove-block.yaml', tests: prune },
    ],
  },
  {
    title: 'Which weights go',
    methods: [
      { name: 'L1: magnitude', command: '--sparsity 0.3 --sparse-by l1', tests: sparsify },
      { name: 'L2: squares', command: '--sparsity 0.3 --sparse-by l2', tests: sparsify },
      {
        name: 'gradient (Taylor)',
        command: '--sparsity 0.3 --sparse-by gradient',
        tests: [...sparsify, 'cli/compress/gradient-source.test.ts'],
      },
      {
        name: 'reconstruction error, the rest re-fitted',
        command: '--sparsity 0.3 --sparse-by reconstruction',
        tests: sparsify,
      },
      { name: 'random (the control)', command: '--sparsity 0.3 --sparse-by random', tests: sparsify },
    ],
  },
  {
    title: 'Which channels go',
    measuredWith: '--schedule uniform --restore none',
    methods: [
      { name: 'L1 norm of what reads a channel', command: '--prune macs=0.9 --criterion l1', tests: prune },
      {
        name: 'L1 norm of the filter that makes it',
        command: '--prune macs=0.9,weights=filters --criterion l1',
        tests: prune,
      },
      { name: 'L2 norm of what reads a channel', command: '--prune macs=0.9 --criterion l2', tests: prune },
      {
        name: 'L2 norm of the filter that makes it',
        command: '--prune macs=0.9,weights=filters --criterion l2',
        tests: prune,
      },
      {
        name: 'activation, mean of absolute values',
        command: '--prune macs=0.9,pooling=absolute --criterion activation',
        tests: prune,
      },
      {
        name: 'activation, max-pooled',
        command: '--prune macs=0.9,pooling=max --criterion activation',
        tests: prune,
      },
      {
        name: 'activation, average-pooled',
        command: '--prune macs=0.9,pooling=average --criterion activation',
        tests: prune,
      },
      {
        name: 'activation, standard deviation (default of the four)',
        command: '--prune macs=0.9 --criterion activation',
        tests: prune,
      },
      { name: 'gradient (Taylor)', command: '--prune macs=0.9 --criterion gradient', tests: gradient },
      {
        name: 'reconstruction error (default)',
        command: '--prune macs=0.9 --criterion reconstruction',
        tests: prune,
      },
      { name: 'random (the control)', command: '--prune macs=0.9 --criterion random', tests: prune },
    ],
  },
  {
    title: 'How many of each layer',
    measuredWith: '--criterion l1 --restore none',
    methods: [
      {
        name: 'sensitivity (default): each layer is cut alone and compensated, and the outputs are compared',
        command: '--prune macs=0.9 --schedule sensitivity',
        tests: prune,
      },
      {
        name: 'global: scores against cost over all layers',
        command: '--prune macs=0.9 --schedule global',
        tests: allocation,
      },
      {
        name: 'uniform: the same part everywhere',
        command: '--prune macs=0.9 --schedule uniform',
        tests: allocation,
      },
    ],
  },
  {
    title: 'How the rest is re-fitted',
    measuredWith: '--criterion l1 --schedule global',
    methods: [
      {
        name: 'least squares (default): weights and biases, through the activation, stopped by held-out pictures',
        command: '--prune macs=0.9 --restore lsq',
        tests: [...prune, 'compress/restoration/fit-weights.test.ts'],
      },
      { name: 'bias correction', command: '--prune macs=0.9 --restore bias', tests: prune },
      {
        name: 'mean replacement: the mean of a removed channel goes into the biases of its readers',
        command: '--prune macs=0.9 --restore mean',
        tests: prune,
      },
      { name: 'nothing', command: '--prune macs=0.9 --restore none', tests: prune },
    ],
  },
]
