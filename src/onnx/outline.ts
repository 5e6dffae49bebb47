/**
 * What an ONNX file holds, told without understanding it: any operator set, with subgraphs, functions and foreign element types.
 * Invariant: the file is walked field by field, so that no file of any kind makes more than its names and counts; nothing of it is
 * computed with.
 */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { AgentError, messageOf } from '../base/errors.js'
import { canonicalDomain } from './opset.js'

export interface Outline {
  /** Version by domain; '' is the standard one. */
  readonly opsets: ReadonlyMap<string, number>
  /** Names, without the initializers that old files list as inputs. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Nodes by operator, most frequent first, those of subgraphs and functions among them; a foreign domain stands before its operator. */
  readonly operators: ReadonlyMap<string, number>
  /** How many graphs lie inside nodes: branches of `If`, bodies of `Loop` and `Scan`. */
  readonly subgraphs: number
  /** Names of functions that the file defines. */
  readonly functions: readonly string[]
  readonly initializers: number
  /** Bytes of all initializers as the file stores them. */
  readonly initializerBytes: number
  readonly metadata: ReadonlyMap<string, string>
}

/** More than any exporter nests; a file that goes deeper is made to exhaust its reader. */
const deepest = 32

/** Field numbers of the ONNX specification, by message. */
const fields = {
  model: { graph: 7, opset: 8, metadata: 14, function: 25 },
  graph: { node: 1, initializer: 5, input: 11, output: 12 },
  function: { name: 1, node: 7 },
  node: { opType: 4, attribute: 5, domain: 7 },
  attribute: { graph: 6, graphs: 11 },
  opset: { domain: 1, version: 2 },
  entry: { key: 1, value: 2 },
  tensor: { name: 8 },
  value: { name: 1 },
} as const

/** Reads `bytes`. Throws `model.parse_failed` for what is no ONNX file. */
export function outlineOf(bytes: Uint8Array): Outline {
  try {
    return new OutlineReader(bytes).read()
  } catch (thrown) {
    if (thrown instanceof AgentError) throw thrown
    throw malformed(messageOf(thrown), thrown)
  }
}

class OutlineReader {
  readonly #reader: BinaryReader
  readonly #bytes: Uint8Array
  readonly #operators = new Map<string, number>()
  readonly #functions: string[] = []
  #subgraphs = 0
  #initializers = 0
  #initializerBytes = 0

  constructor(bytes: Uint8Array) {
    this.#reader = new BinaryReader(bytes)
    this.#bytes = bytes
  }

  read(): Outline {
    const opsets = new Map<string, number>()
    const metadata = new Map<string, string>()
    const found = { inputs: [] as string[], outputs: [] as string[], constants: new Set<string>() }
    const graphs: number[] = []
    this.#each(this.#bytes.byteLength, (field, end) => {
      if (field === fields.model.graph) {
        graphs.push(field)
        this.#graph(end, 0, found)
      } else if (field === fields.model.function) this.#function(end)
      else if (field === fields.model.opset) {
        const { texts, numbers } = this.#plain(end)
        const domain = texts.get(fields.opset.domain) ?? ''
        opsets.set(canonicalDomain(domain), numbers.get(fields.opset.version) ?? 0)
      } else if (field === fields.model.metadata) {
        const { texts } = this.#plain(end)
        metadata.set(texts.get(fields.entry.key) ?? '', texts.get(fields.entry.value) ?? '')
      }
    })
    if (graphs.length === 0) throw malformed('they hold no graph')
    return {
      opsets,
      inputs: found.inputs.filter((name) => !found.constants.has(name)),
      outputs: found.outputs,
      operators: new Map([...this.#operators].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))),
      subgraphs: this.#subgraphs,
      functions: this.#functions,
      initializers: this.#initializers,
      initializerBytes: this.#initializerBytes,
      metadata,
    }
  }

  #graph(
    end: number,
    depth: number,
    found?: { readonly inputs: string[]; readonly outputs: string[]; readonly constants: Set<string> },
  ): void {
    this.#each(end, (field, fieldEnd) => {
      if (field === fields.graph.node) this.#node(fieldEnd, depth)
      else if (field === fields.graph.initializer) {
        this.#initializers++
        this.#initializerBytes += fieldEnd - this.#reader.pos
        found?.constants.add(this.#textAt(fieldEnd, fields.tensor.name))
      } else if (field === fields.graph.input) found?.inputs.push(this.#textAt(fieldEnd, fields.value.name))
      else if (field === fields.graph.output) found?.outputs.push(this.#textAt(fieldEnd, fields.value.name))
    })
  }

  #function(end: number): void {
    this.#each(end, (field, fieldEnd) => {
      if (field === fields.function.name) this.#functions.push(this.#text(fieldEnd))
      else if (field === fields.function.node) this.#node(fieldEnd, 1)
    })
  }

  #node(end: number, depth: number): void {
    let [opType, domain] = ['', '']
    this.#each(end, (field, fieldEnd) => {
      if (field === fields.node.opType) opType = this.#text(fieldEnd)
      else if (field === fields.node.domain) domain = canonicalDomain(this.#text(fieldEnd))
      else if (field === fields.node.attribute) this.#attribute(fieldEnd, depth + 1)
    })
    const name = domain === '' ? opType : `${domain}.${opType}`
    this.#operators.set(name, (this.#operators.get(name) ?? 0) + 1)
  }

  #attribute(end: number, depth: number): void {
    if (depth > deepest) throw malformed(`its subgraphs are nested more than ${deepest} deep`)
    this.#each(end, (field, fieldEnd) => {
      if (field !== fields.attribute.graph && field !== fields.attribute.graphs) return
      this.#subgraphs++
      this.#graph(fieldEnd, depth)
    })
  }

  /** The texts and numbers of a message of a few small fields. */
  #plain(end: number): { readonly texts: Map<number, string>; readonly numbers: Map<number, number> } {
    const texts = new Map<number, string>()
    const numbers = new Map<number, number>()
    this.#each(
      end,
      (field, fieldEnd) => {
        texts.set(field, this.#text(fieldEnd))
      },
      (field) => {
        numbers.set(field, Number(this.#reader.int64()))
      },
    )
    return { texts, numbers }
  }

  #textAt(end: number, wanted: number): string {
    let text = ''
    this.#each(end, (field, fieldEnd) => {
      if (field === wanted) text = this.#text(fieldEnd)
    })
    return text
  }

  #text(end: number): string {
    return new TextDecoder().decode(this.#bytes.subarray(this.#reader.pos, end))
  }

  /** Calls `message` with each field up to `end` that has a length, and `number` with each varint; what they leave is passed over. */
  #each(end: number, message: (field: number, end: number) => void, number?: (field: number) => void): void {
    const reader = this.#reader
    while (reader.pos < end) {
      const [field, wireType] = reader.tag()
      if (wireType === WireType.LengthDelimited) {
        const fieldEnd = reader.uint32() + reader.pos
        if (fieldEnd > end) throw malformed(`field ${field} reaches beyond its end`)
        message(field, fieldEnd)
        reader.pos = fieldEnd
      } else if (wireType === WireType.Varint && number !== undefined) number(field)
      else reader.skip(wireType, field)
      if (reader.pos > end) throw malformed(`field ${field} reaches beyond its end`)
    }
  }
}

function malformed(problem: string, cause?: unknown): AgentError {
  return new AgentError('model.parse_failed', `the bytes are not an ONNX model: ${problem}`, { cause })
}
