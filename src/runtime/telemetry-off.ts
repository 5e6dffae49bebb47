/**
 * Switches the telemetry of ONNX Runtime off. Its builds for Linux (1.29 and later, not 1.27) keep a device id and a database in
 * the home folder, make a log file in /tmp for every process, and know an address to send to.
 * It is a side effect of importing this file, which comes before the import of `onnxruntime-node` and before a worker is started:
 * the library asks for the variable of the process, and a worker's `process.env` is only a copy of it.
 * Invariant: who wants the telemetry says so by setting ORT_DISABLE_TELEMETRY=0; a value that is there stays.
 */

process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
