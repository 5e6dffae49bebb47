/**
 * The compiled program as few files: what a command, a worker thread or a child process starts with is one file, and
 * what they share lies beside it. Starting then reads tens of files in place of a thousand.
 * Invariant: packages with native libraries stay outside, and a file that code names by a path relative to itself is
 * found at that path.
 */

import { build as bundle, type Plugin } from 'esbuild'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

/** Where processes and threads start, below dist/src. Each is started by the path of its own file. */
export const entryPoints: readonly string[] = [
  'cli/main',
  'base/kernel-worker',
  'runtime/session-worker',
  'runtime/reference-worker',
  'agent/probe/probe-process',
  'agent/serving/describe-worker',
  'agent/trial/trial-process',
]

/** Packages that load files of their own at run time. */
export const outsidePackages: readonly string[] = ['onnxruntime-node', 'koffi', 'sharp', '@cwasm/nsbmp']

/** CommonJS packages use names that an ES module has to make for itself. */
const banner = [
  "import { createRequire as makeRequire } from 'node:module'",
  "import { fileURLToPath as pathOfUrl } from 'node:url'",
  'const require = makeRequire(import.meta.url)',
  'const __filename = pathOfUrl(import.meta.url)',
  "const __dirname = pathOfUrl(new URL('.', import.meta.url))",
].join(';')

/**
 * Writes the program of `compiled` (dist/src of a checkout) into `folder` in the same layout.
 * Returns the paths, below the checkout `root`, of the packages that went in.
 */
export async function writeProgramCode(
  root: string,
  compiled: string,
  folder: string,
): Promise<readonly string[]> {
  const target = join(folder, 'bundle')
  const result = await bundle({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(
      entryPoints.map((entry) => [entry.replaceAll('/', '.'), join(compiled, `${entry}.js`)]),
    ),
    outdir: target,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'none',
    external: [...outsidePackages],
    metafile: true,
    banner: { js: banner },
    plugins: [ownPlaces(compiled)],
    logLevel: 'error',
  })
  for (const entry of entryPoints) {
    const file = `${entry.replaceAll('/', '.')}.js`
    writeFileSync(join(target, file), readFileSync(join(target, file), 'utf8').replace(/^#!.*\n/, ''))
    chmodSync(join(target, file), 0o644)
    const stub = join(folder, `${entry}.js`)
    mkdirSync(dirname(stub), { recursive: true })
    writeFileSync(stub, `import '${relative(dirname(stub), target).split(sep).join('/')}/${file}'\n`)
  }
  const paths = Object.keys(result.metafile.inputs).map(
    (file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1],
  )
  return [...new Set(paths.filter((path) => path !== undefined))].sort()
}

/** Gives `import.meta.url` of every file of ours the address that it has in the layout of dist/src. */
function ownPlaces(compiled: string): Plugin {
  return {
    name: 'own-places',
    setup: (build) => {
      build.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const place = relative(compiled, path).split(sep).join('/')
        if (place.startsWith('..')) return undefined
        const text = readFileSync(path, 'utf8')
        if (!text.includes('import.meta.url')) return undefined
        const address = `new URL(${JSON.stringify(`../${place}`)}, import.meta.url).href`
        return { contents: text.replaceAll('import.meta.url', address), loader: 'js' }
      })
    },
  }
}
