/**
 * Which hardware decodes video, as ffmpeg's input options.
 * Invariant: a codec without a row in a preset is decoded by software; there is no guessing.
 *
 * Facts: h264_v4l2m2m, hevc_v4l2m2m: FFmpeg's codec documentation, Raspberry Pi 4 and older (Pi 5 has no H.264 decoder; its HEVC
 * decoder is reached by `-hwaccel drm` in Raspberry Pi OS's ffmpeg). *_nvv4l2dec: NVIDIA's ffmpeg for Jetson (Jetson Linux Developer
 * Guide, "FFmpeg Support"). *_nvmpi: the jetson-ffmpeg project. `-hwaccel vaapi|cuda|rkmpp`: FFmpeg's documentation, "Advanced Video
 * options"; without an output format the frames come back to main memory, where the scaler needs them.
 */

/** ffmpeg's name of a codec -> input options. `any` stands for every codec. */
type PresetRow = Readonly<Record<string, readonly string[]>>

const presets = {
  default: {},
  rpi: { h264: ['-c:v', 'h264_v4l2m2m'], hevc: ['-hwaccel', 'drm'] },
  jetson: { h264: ['-c:v', 'h264_nvv4l2dec'], hevc: ['-c:v', 'hevc_nvv4l2dec'] },
  'jetson-nvmpi': { h264: ['-c:v', 'h264_nvmpi'], hevc: ['-c:v', 'hevc_nvmpi'] },
  vaapi: { any: ['-hwaccel', 'vaapi', '-hwaccel_device', '/dev/dri/renderD128'] },
  rkmpp: { any: ['-hwaccel', 'rkmpp'] },
  nvidia: { any: ['-hwaccel', 'cuda'] },
} as const satisfies Readonly<Record<string, PresetRow>>

export type DecoderPreset = keyof typeof presets

export const decoderPresets = Object.keys(presets) as readonly DecoderPreset[]

/** Whether `text` names a preset. */
export function isDecoderPreset(text: string): text is DecoderPreset {
  return Object.hasOwn(presets, text)
}

/** ffmpeg's options, placed before `-i`, that decode `codec` by the preset's hardware; empty for software. */
export function decoderArgs(preset: DecoderPreset, codec: string): readonly string[] {
  const row: PresetRow = presets[preset]
  return row['any'] ?? row[codec] ?? []
}
