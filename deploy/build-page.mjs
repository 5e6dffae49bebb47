// Bundles the dashboard's page into dist/src/dashboard/page: four files that any static server can serve.
// Invariant: the page refers to nothing but its own files; dist/page-packages.json names the packages that went into it.
import { build } from 'esbuild'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, 'src', 'dashboard', 'page')
const target = join(root, 'dist', 'src', 'dashboard', 'page')

mkdirSync(target, { recursive: true })
const options = {
  outdir: target,
  tsconfig: join(source, 'tsconfig.json'),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  absWorkingDir: root,
}
const page = await build({ ...options, entryPoints: [join(source, 'page.tsx'), join(source, 'page.css')] })
const worker = await build({
  ...options,
  entryPoints: [join(source, 'link-worker.ts')],
  inject: [join(source, 'prompt-timers.ts')],
})
copyFileSync(join(source, 'index.html'), join(target, 'index.html'))

const inputs = [page, worker].flatMap(({ metafile }) => Object.keys(metafile.inputs))
const packages = inputs.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? [])
writeFileSync(join(root, 'dist', 'page-packages.json'), JSON.stringify([...new Set(packages)].sort()))
