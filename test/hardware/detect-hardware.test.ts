import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import t from 'tap'
import { detectHardware } from '../../src/hardware/detect-hardware.js'
import { boardNames, layOutBoard } from '../helpers/boards.js'
import { fixture } from '../helpers/paths.js'

t.test('every board is recognised by its files', async (t) => {
  for (const board of boardNames) {
    const profile = await detectHardware({ root: layOutBoard(board, t.testdir()) })
    const path = fixture('boards', `${board}.profile.json`)
    const found = `${JSON.stringify(profile, null, 2)}\n`
    if (process.env['UPDATE_GOLDEN'] === '1' && !existsSync(path)) writeFileSync(path, found)
    t.equal(found, readFileSync(path, 'utf8'), board)
  }
})

t.test('int8 layouts follow the instructions that the processor has', async (t) => {
  const targets = async (board: string): Promise<readonly string[]> =>
    (await detectHardware({ root: layOutBoard(board, t.testdir()) })).int8Targets
  t.same(await targets('x86-n100'), ['x64-vnni', 'x64'], 'avx_vnni')
  t.same(await targets('x86-j4125'), ['x64'], 'neither AVX-512 nor AVX VNNI')
  t.same(await targets('pi-5'), ['arm64'])
})

t.test('a machine that tells nothing is described too', async (t) => {
  const profile = await detectHardware({ root: t.testdir(), arch: 'riscv64' })
  t.match(profile, {
    board: { name: 'unknown board' },
    cpu: { model: 'unknown', cores: 1, features: [] },
    accelerators: [],
    int8Targets: [],
    condition: { throttleReasons: [] },
  })
  t.notOk('temperatureC' in profile.condition, 'no temperature is made up')
})

t.test('this machine is described', async (t) => {
  const { arch, cpu, condition, os } = await detectHardware()
  t.equal(arch, process.arch)
  t.equal(cpu.cores, cpus().length)
  t.ok(condition.memoryTotalBytes > 1e8 && condition.memoryAvailableBytes <= condition.memoryTotalBytes)
  t.not(os, '')
})

t.test('a Jetson: board, chip, release, power mode, heat, accelerators', async (t) => {
  const root = t.testdir({
    proc: {
      'device-tree': {
        model: 'NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0',
        compatible: 'nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0',
      },
      cpuinfo:
        'processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n\nprocessor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n',
      meminfo: 'MemTotal:        7802492 kB\nMemAvailable:    5120000 kB\n',
    },
    etc: {
      nv_tegra_release: '# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n',
      'nvpmodel.conf': '< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n',
    },
    var: { lib: { nvpmodel: { status: 'pmode:0002\n' } } },
    sys: { class: { thermal: { thermal_zone0: { temp: '48500\n' }, thermal_zone1: { temp: '-256000\n' } } } },
    dev: { nvgpu: {} },
  })
  t.match(await detectHardware({ root, arch: 'arm64' }), {
    board: { chip: 't234', platformRelease: 'JetPack 6.2 (L4T 36.4.3)', name: /Orin Nano/ },
    cpu: { model: 'Cortex-A78AE', cores: 2, features: ['asimd', 'asimdhp', 'asimddp'] },
    condition: { memoryTotalBytes: 7_802_492 * 1024, temperatureC: 48.5, powerMode: 'MAXN_SUPER' },
    accelerators: [{ kind: 'gpu', name: 'NVIDIA Ampere (Orin)' }],
    int8Targets: ['arm64'],
  })
})

t.test('a Raspberry Pi that is throttled', async (t) => {
  const root = t.testdir({
    proc: {
      'device-tree': {
        model: 'Raspberry Pi 5 Model B Rev 1.0\0',
        compatible: 'raspberrypi,5-model-b\0brcm,bcm2712\0',
      },
    },
    sys: { devices: { platform: { soc: { 'soc:firmware': { get_throttled: '50005\n' } } } } },
  })
  t.match(await detectHardware({ root, arch: 'arm64' }), {
    board: { name: 'Raspberry Pi 5 Model B Rev 1.0', chip: 'bcm2712' },
    condition: { throttled: true },
  })
})

t.test(
  'a PC with VNNI and one without, and a container that may use less memory than there is',
  async (t) => {
    const pc = (flags: string, limit: string): string =>
      t.testdir({
        proc: {
          cpuinfo: `processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu ${flags}\n`,
          meminfo: 'MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n',
        },
        sys: {
          class: { dmi: { id: { sys_vendor: 'Vendor\n', product_name: 'Box 3\n' } } },
          fs: { cgroup: { 'memory.max': `${limit}\n` } },
        },
      })
    t.match(await detectHardware({ root: pc('avx2 avx_vnni', 'max'), arch: 'x64' }), {
      board: { name: 'Vendor Box 3' },
      int8Targets: ['x64-vnni', 'x64'],
      condition: { memoryTotalBytes: 16_384_000_000 },
    })
    t.match(await detectHardware({ root: pc('avx2', '1000000000'), arch: 'x64' }), {
      int8Targets: ['x64'],
      condition: { memoryTotalBytes: 1_000_000_000, memoryAvailableBytes: 1_000_000_000 },
    })
  },
)
