// Bundles the dashboard's page into dist/src/dashboard/page: four files that any static server can serve.
// Invariant: the page refers to nothing but its own files.
import { build } from 'esbuild'
import { copyFileSync, mkdirSync } from 'node:fs'
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
}
await build({ ...options, entryPoints: [join(source, 'page.tsx'), join(source, 'page.css')] })
await build({
  ...options,
  entryPoints: [join(source, 'link-worker.ts')],
  inject: [join(source, 'prompt-timers.ts')],
})
copyFileSync(join(source, 'index.html'), join(target, 'index.html'))
