import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import t from 'tap'
import { table } from '../../src/cli/output.js'
import { projectRoot } from '../helpers/paths.js'

const module = pathToFileURL(join(projectRoot, 'dist', 'src', 'cli', 'output.js')).href

function run(script: string): { stdout: string; stderr: string; status: number | null } {
  const errors = pathToFileURL(join(projectRoot, 'dist', 'src', 'base', 'errors.js')).href
  const program = `import { processOutput, reportError } from '${module}'; import { AgentError } from '${errors}'; ${script}`
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
}

t.test('text and JSON never mix on stdout', (t) => {
  const script = (json: boolean): string =>
    `const o = processOutput(${json}); o.line('a line'); o.result({ a: 1 }); o.note('a note')`
  t.match(run(script(false)), { stdout: 'a line\n', stderr: 'a note\n' })
  const machine = run(script(true))
  t.same(JSON.parse(machine.stdout), { a: 1 })
  t.end()
})

t.test('progress off a terminal is a line each tenth', (t) => {
  const { stderr } = run(
    `const p = processOutput(false).progress('copy'); for (let i = 0; i <= 100; i++) p.update(i / 100); p.done('2 files')`,
  )
  const lines = stderr.trim().split('\n')
  t.equal(lines.length, 12)
  t.match(lines[0], /copy: 0 %/)
  t.match(lines.at(-1), /copy: done 2 files/)
  t.end()
})

t.test('an error is one sentence with its code and hint, never a stack', (t) => {
  const coded = run(
    `process.exitCode = reportError(new AgentError('model.not_yolov8', 'x.onnx has no head', { hint: 'export it again' }), true)`,
  )
  t.equal(coded.status, 3)
  t.equal(coded.stderr, 'yolo-edge: model.not_yolov8: x.onnx has no head\nhint: export it again\n')
  t.same(JSON.parse(coded.stdout), {
    error: { code: 'model.not_yolov8', message: 'x.onnx has no head', hint: 'export it again' },
  })
  const unforeseen = run(`process.exitCode = reportError(new TypeError('x is not a function'), false)`)
  t.equal(unforeseen.status, 70)
  t.equal(unforeseen.stderr, 'yolo-edge: internal.invariant_broken: x is not a function\n')
  t.end()
})

t.test('the problems of the settings stand on a line each', (t) => {
  const { stderr } = run(
    `process.exitCode = reportError(new AgentError('config.value_invalid', 'a.yaml has 2 problems:\\n  one\\n  two'), false)`,
  )
  t.equal(stderr, 'yolo-edge: config.value_invalid: a.yaml has 2 problems:\n  one\n  two\n')
  t.end()
})

t.test('columns line up', (t) => {
  t.equal(
    table([
      ['a', 'long', 'x'],
      ['bbb', 'c', ''],
    ]),
    'a    long  x\nbbb  c',
  )
  t.equal(table([]), '')
  t.end()
})

t.test('a reader that stops early ends the program without a word', (t) => {
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const program = '"$0" "$1" check-config --reference | true; echo "${PIPESTATUS[0]}"'
  const { stdout, stderr } = spawnSync('bash', ['-c', program, process.execPath, main], { encoding: 'utf8' })
  t.equal(stderr, '')
  t.equal(stdout, '0\n')
  t.end()
})
