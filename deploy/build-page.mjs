// Bundles the dashboard's page into dist/src/dashboard/page: three files that any static server can serve.
// Invariant: the page refers to nothing but its own files.
import { build } from 'esbuild'
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, 'src', 'dashboard', 'page')
const target = join(root, 'dist', 'src', 'dashboard', 'page')

mkdirSync(target, { recursive: true })
await build({
  entryPoints: [join(source, 'page.tsx'), join(source, 'page.css')],
  outdir: target,
  tsconfig: join(source, 'tsconfig.json'),
  bundle: true,
  inject: [join(source, 'prompt-timers.ts')],
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2023',
  legalComments: 'none',
  logLevel: 'warning',
})
copyFileSync(join(source, 'index.html'), join(target, 'index.html'))
