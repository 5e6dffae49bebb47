import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Engines } from '../../../src/agent/serving/engines.js'
import { sha256Of } from '../../../src/base/digest.js'
import { silentLogger } from '../../../src/base/logger.js'
import { detectHardware } from '../../../src/hardware/detect-hardware.js'
import { layOutBoard } from '../../helpers/boards.js'

const model = sha256Of('model')

t.test('what a trial has built, serving loads, until the library or the model is another', async (t) => {
  const folder = t.testdir({ board: {}, 'libonnxruntime.so': 'first build' })
  const library = join(folder, 'libonnxruntime.so')
  const hardware = await detectHardware({ root: layOutBoard('jetson-orin-nano', join(folder, 'board')) })
  const session = {
    library,
    providers: ['tensorrt', 'cuda'],
    providerOptions: { tensorrt: { trt_fp16_enable: '1' } },
  }
  const engines = new Engines(join(folder, 'engines'), silentLogger)
  const trial = await engines.place({ ...session, niceness: 10 }, model, hardware)
  t.equal(trial.session.engineFolder, trial.engine?.path)
  t.equal(trial.engine?.isBuilt, false)
  await trial.engine?.complete(60_000)
  const serving = await engines.place(session, model, hardware)
  t.equal(serving.engine?.path, trial.engine?.path)
  t.equal(serving.engine?.isBuilt, true)
  const otherModel = await engines.place(session, sha256Of('another'), hardware)
  t.match(otherModel.engine, { isBuilt: false, expectedBuildMs: 60_000 })
  writeFileSync(library, 'second build, of another size')
  t.equal((await engines.place(session, model, hardware)).engine?.isBuilt, false)
  await engines.collectGarbage([])
  t.notOk(existsSync(trial.engine!.path))
})

t.test(
  'without a library, a provider that builds, or a place to write, the session stays as it is',
  async (t) => {
    const folder = t.testdir({ board: {}, file: '' })
    const hardware = await detectHardware({ root: layOutBoard('pi-5', join(folder, 'board')) })
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_fields: object, text: string) => warnings.push(text) }
    const engines = new Engines(join(folder, 'file', 'engines'), logger)
    for (const session of [{ providers: ['tensorrt'] }, { library: '/lib.so', providers: ['cpu'] }])
      t.same(await engines.place(session, model, hardware), { session, engine: undefined })
    t.same(warnings, [])
    const session = { library: '/lib.so', providers: ['tensorrt'] }
    t.same(await engines.place(session, model, hardware), { session, engine: undefined })
    t.same(warnings, ['the engine is built anew at each start'])
  },
)
