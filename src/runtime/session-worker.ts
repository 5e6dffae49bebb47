/**
 * The worker thread of a session: the only code that calls ONNX Runtime's `run`, which blocks its thread while it computes.
 * Invariant: requests are served one at a time, in order; every request is answered; after `close` the thread holds nothing of the session.
 */

import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { parentPort, threadId } from 'node:worker_threads'
import { Tensor } from 'onnxruntime-node'
import { present } from '../base/assert.js'
import { systemClock } from '../base/clock.js'
import { collectGarbage } from '../base/collect-garbage.js'
import { AgentError, wrapError } from '../base/errors.js'
import type { BackendSession, NamedTensors, SessionOperators } from './backend.js'
import { FrameInference } from './frame-inference.js'
import type {
  DetectRequest,
  ModelSource,
  OpenRequest,
  PackedError,
  Reply,
  Request,
  RunRequest,
  SessionInfo,
} from './messages.js'
import { openOrtSession, reasonOf } from './open-ort-session.js'
import { defaultNiceness, defaultWarmUpRuns, providersOf, type SessionOptions } from './session-options.js'
import type { BoundTensors, SharedTensors } from './shared-tensors.js'
import { elementTypeOf, type PackedTensor, unpackTensor } from './tensor.js'
import { nameThread, sessionThreadName } from './thread-time.js'
import { warmUp } from './warm-up.js'

interface OpenSession {
  readonly session: BackendSession
  /** Present when the session was opened for a detector. */
  readonly frames: FrameInference | undefined
  readonly shared: SharedTensors | undefined
}

const port = present(parentPort, 'the session worker runs as a worker thread')
let open: OpenSession | undefined
let served = Promise.resolve()

// A run awaits: without the chain, the next message would be served in the middle of it and overwrite its input.
port.on('message', (request: Request) => {
  served = served.then(() => serve(request))
})

async function serve(request: Request): Promise<void> {
  switch (request.kind) {
    case 'open':
      try {
        await openSession(request)
      } catch (thrown) {
        reply({
          kind: 'open-failed',
          error: packError(wrapError(thrown, 'inference.load_failed', 'cannot load the model')),
        })
      }
      return
    case 'run':
      await answer(request.id, () => runTensors(request))
      return
    case 'detect':
      await answer(request.id, () => detect(request))
      return
    case 'close':
      await open?.session.release()
      open = undefined
      if (request.keepsThread) {
        // What reading the model left behind would stay for as long as the thread waits.
        collectGarbage()
        reply({ kind: 'closed' })
      }
      // Nothing else keeps the thread alive.
      else port.close()
      return
  }
}

/** Runs `action`, which replies itself when it succeeds. */
async function answer(id: number, action: () => Promise<void>): Promise<void> {
  try {
    await action()
  } catch (thrown) {
    reply({
      kind: 'failed',
      id,
      error: packError(wrapError(thrown, 'inference.run_failed', 'cannot run the model')),
    })
  }
}

async function openSession(request: OpenRequest): Promise<void> {
  const { source, options } = request
  // The priority comes first, because the threads of ONNX Runtime inherit it. On Linux, process 0 means this thread.
  const niceness = options.niceness ?? defaultNiceness
  if (process.platform === 'linux' && niceness > 0) setPriority(0, niceness)
  nameThread(sessionThreadName(threadId))
  const startMs = systemClock.monotonicMs()
  const { session, operators } = await openForm(source, options)
  const loadMs = systemClock.monotonicMs() - startMs
  try {
    await prepare(request, session, { operators, loadMs })
  } catch (thrown) {
    // What the thread leaves behind, a library of its own would keep for as long as the process lives.
    open = undefined
    await session.release()
    throw thrown
  }
}

/** Makes an opened session ready for its first request, and answers that it is. */
async function prepare(
  request: OpenRequest,
  session: BackendSession,
  told: Pick<SessionInfo, 'operators' | 'loadMs'>,
): Promise<void> {
  const { options, description, bound } = request
  const { inputs, outputs, takesSharedMemory } = session
  const frames =
    description === undefined
      ? undefined
      : new FrameInference(
          description,
          {
            inputs,
            outputs,
            takesSharedMemory,
            run: (feeds, fetches) => runSession(session, feeds, fetches),
          },
          systemClock,
        )
  open = { session, frames, shared: await shareTensors(bound) }
  // Only a detector knows the size of its input, so only a detector can run before its first frame.
  const runs = frames === undefined ? 0 : Math.max(1, options.warmUpRuns ?? defaultWarmUpRuns)
  const warmed = await warmUp(async () => frames?.warmUp(), runs, systemClock)
  reply({
    kind: 'opened',
    info: {
      provider: present(providersOf(options)[0], 'the list ends with cpu'),
      inputs,
      outputs,
      ...told,
      warmUp: warmed,
    },
  })
}

/** Whether the file names an operator that has a fused form. Looked at first: what fuses takes long to load, for every thread. */
async function hasByteOperators(source: ModelSource): Promise<boolean> {
  // A file that cannot be read is named by who opens it.
  const bytes = 'path' in source ? await readFile(source.path).catch(() => new Uint8Array()) : source.bytes
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.includes('QLinearConv') || view.includes('QLinearSigmoid')
}

/** Opens the fused form where there is one, the stock form otherwise; that is told. */
async function openForm(
  source: ModelSource,
  options: SessionOptions,
): Promise<{ readonly session: BackendSession; readonly operators: SessionOperators }> {
  let reason = 'the settings ask for it'
  if (options.operators !== 'stock' && !(await hasByteOperators(source)))
    reason = 'the model has no operators on bytes'
  else if (options.operators !== 'stock') {
    const { openFusedSession } = await import('./native/fused/open-fused-session.js')
    const fused = await openFusedSession(source, options)
    if (typeof fused !== 'string')
      return { session: fused.session, operators: { form: 'fused', kernels: fused.kernels } }
    reason = fused
  }
  return { session: await openBackend(source, options), operators: { form: 'stock', reason } }
}

/** A library of its own is loaded only by who asks for it: a fault in it must not reach other sessions. */
async function openBackend(source: ModelSource, options: SessionOptions): Promise<BackendSession> {
  if (options.library === undefined) return openOrtSession(source, options)
  const { openNativeSession } = await import('./native/native-session.js')
  return openNativeSession(source, options)
}

/** Native memory is touched only by who has tensors in it. */
async function shareTensors(bound: BoundTensors | undefined): Promise<SharedTensors | undefined> {
  if (bound === undefined) return undefined
  const { SharedTensors } = await import('./shared-tensors.js')
  return new SharedTensors(bound)
}

async function runTensors(request: RunRequest): Promise<void> {
  const { session, shared } = present(open, 'run comes after open')
  const feeds: Record<string, Tensor> = { ...shared?.feeds }
  for (const packed of request.feeds) {
    const { type, dims, data } = unpackTensor(packed)
    feeds[packed.name] = new Tensor(type, data, dims)
  }
  const names = fetchedNames(session, request)
  const fetches = Object.fromEntries(names.map((name) => [name, shared?.output(name) ?? null]))
  const startMs = systemClock.monotonicMs()
  const results = await runSession(session, feeds, fetches)
  const computeMs = systemClock.monotonicMs() - startMs
  const outputs = Object.entries(results)
    .filter(([name]) => fetches[name] === null)
    .map(([name, tensor]) => packResult(name, tensor))
  const spent = request.feeds.map((feed) => feed.buffer)
  reply({ kind: 'ran', id: request.id, outputs, computeMs, spent }, [
    ...outputs.map(({ buffer }) => buffer),
    ...spent,
  ])
}

/** The outputs that `request` asks for. Throws `inference.run_failed` for one that the model does not have. */
function fetchedNames(session: BackendSession, { fetches }: RunRequest): readonly string[] {
  const known = session.outputs.map(({ name }) => name)
  const unknown = fetches?.find((name) => !known.includes(name))
  if (unknown === undefined) return fetches ?? known
  throw new AgentError(
    'inference.run_failed',
    `the model has no output ${unknown}, expected one of ${known.join(', ')}`,
  )
}

async function detect(request: DetectRequest): Promise<void> {
  const frames = present(open?.frames, 'detect comes after open with a description')
  reply({ kind: 'detected', id: request.id, result: await frames.detect(request) })
}

async function runSession(
  session: BackendSession,
  feeds: NamedTensors,
  fetches: Readonly<Record<string, Tensor | null>>,
): Promise<NamedTensors> {
  try {
    return await session.run(feeds, fetches)
  } catch (thrown) {
    throw new AgentError('inference.run_failed', `cannot run the model: ${reasonOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** A result as it travels: in the buffer that it was computed into, unless that holds other things as well. */
function packResult(name: string, tensor: Tensor): PackedTensor {
  const type = elementTypeOf(tensor.type, name)
  const data = tensor.data as Exclude<Tensor['data'], string[]>
  const { buffer } = data.byteLength === data.buffer.byteLength ? data : data.slice()
  return { name, type, dims: tensor.dims, buffer: buffer as ArrayBuffer }
}

function packError(error: AgentError): PackedError {
  return { code: error.code, message: error.message, hint: error.hint }
}

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}
