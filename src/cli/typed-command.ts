/** The command as it was typed, for reports that tell how to repeat it. Invariant: pasted into a shell it gives the same arguments. */

/** `yolo-edge compress yolov8n.onnx --out 'new folder'`. */
export function typedCommand(given: readonly string[] = process.argv.slice(2)): string {
  return ['yolo-edge', ...given.map(quoted)].join(' ')
}

function quoted(text: string): string {
  return /^[\w./:=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
