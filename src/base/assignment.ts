/**
 * Exact assignment: which rows go with which columns so that the sum of the costs is smallest, where leaving a row alone has a
 * price. Shortest augmenting paths (R. Jonker, A. Volgenant, A shortest augmenting path algorithm for dense and sparse linear
 * assignment problems, Computing 38, 1987), on each connected part of the possible pairs by itself.
 * Invariant: the sum over the pairs, plus the price of each row that is left alone, is the smallest there is; nothing is
 * allocated once the largest problem was seen.
 */

export class Assignment {
  /** Of each row, its column; -1 for a row that is left alone. Valid until the next `begin`, up to the count of rows. */
  columnOf = new Int32Array(16)
  /** Of each column, its row; -1 for a column that is left alone. */
  rowOf = new Int32Array(16)
  #rows = 0
  #columns = 0
  #price = 0
  #pairs = 0
  #pairRow = new Int32Array(64)
  #pairColumn = new Int32Array(64)
  #pairCost = new Float64Array(64)
  /** Union-find over rows and then columns. */
  #parent = new Int32Array(32)
  /** Rows and columns of the part that is being solved, and where each row or column stands in it. */
  #partRows = new Int32Array(32)
  #partColumns = new Int32Array(32)
  #place = new Int32Array(32)
  /** Pairs in the order of their parts. */
  #order = new Int32Array(64)
  #partStart = new Int32Array(32)
  /** Costs of one part, row by row; its columns are followed by one column a row that means leaving it alone. */
  #cost = new Float64Array(256)
  #rowPotential = new Float64Array(33)
  #columnPotential = new Float64Array(33)
  #taken = new Int32Array(33)
  #way = new Int32Array(33)
  #least = new Float64Array(33)
  #isDone = new Uint8Array(33)

  /** Starts a problem; `price` is what leaving a row alone costs. */
  begin(rows: number, columns: number, price: number): void {
    this.#rows = rows
    this.#columns = columns
    this.#price = price
    this.#pairs = 0
    if (this.columnOf.length < rows) this.columnOf = new Int32Array(rows * 2)
    if (this.rowOf.length < columns) this.rowOf = new Int32Array(columns * 2)
    this.columnOf.fill(-1, 0, rows)
    this.rowOf.fill(-1, 0, columns)
  }

  /** Says that `row` may go with `column` at `cost`; pairs that cost more than leaving the row alone need not be told. */
  allow(row: number, column: number, cost: number): void {
    if (!(cost <= this.#price)) return
    if (this.#pairs === this.#pairRow.length) this.#growPairs()
    this.#pairRow[this.#pairs] = row
    this.#pairColumn[this.#pairs] = column
    this.#pairCost[this.#pairs] = cost
    this.#pairs++
  }

  /** Fills `columnOf` and `rowOf`. */
  solve(): void {
    if (this.#pairs === 0) return
    this.#findParts()
    const parts = this.#sortByPart()
    for (let part = 0; part < parts; part++)
      this.#solvePart(this.#partStart[part]!, this.#partStart[part + 1]!)
  }

  #growPairs(): void {
    const size = this.#pairRow.length * 2
    this.#pairRow = grown(this.#pairRow, new Int32Array(size))
    this.#pairColumn = grown(this.#pairColumn, new Int32Array(size))
    this.#pairCost = grown(this.#pairCost, new Float64Array(size))
    this.#order = new Int32Array(size)
  }

  #findParts(): void {
    const nodes = this.#rows + this.#columns
    if (this.#parent.length < nodes + 1) {
      this.#parent = new Int32Array(nodes * 2)
      this.#place = new Int32Array(nodes * 2)
      this.#partStart = new Int32Array(nodes * 2)
      this.#partRows = new Int32Array(nodes * 2)
      this.#partColumns = new Int32Array(nodes * 2)
    }
    for (let node = 0; node < nodes; node++) this.#parent[node] = node
    for (let pair = 0; pair < this.#pairs; pair++) {
      const one = this.#rootOf(this.#pairRow[pair]!)
      const other = this.#rootOf(this.#rows + this.#pairColumn[pair]!)
      this.#parent[Math.max(one, other)] = Math.min(one, other)
    }
  }

  #rootOf(node: number): number {
    let root = node
    while (this.#parent[root] !== root) root = this.#parent[root]!
    for (let at = node; at !== root;) {
      const next = this.#parent[at]!
      this.#parent[at] = root
      at = next
    }
    return root
  }

  /** Counting sort of the pairs by their part; returns how many parts there are. */
  #sortByPart(): number {
    const nodes = this.#rows + this.#columns
    const place = this.#place
    const start = this.#partStart
    place.fill(-1, 0, nodes)
    let parts = 0
    for (let pair = 0; pair < this.#pairs; pair++) {
      const root = this.#rootOf(this.#pairRow[pair]!)
      if (place[root] === -1) {
        place[root] = parts
        start[parts++] = 0
      }
      start[place[root]!]!++
    }
    let before = 0
    for (let part = 0; part < parts; part++) {
      const count = start[part]!
      start[part] = before
      before += count
    }
    for (let pair = 0; pair < this.#pairs; pair++) {
      const part = place[this.#rootOf(this.#pairRow[pair]!)]!
      this.#order[start[part]!] = pair
      start[part]!++
    }
    for (let part = parts; part > 0; part--) start[part] = start[part - 1]!
    start[0] = 0
    return parts
  }

  #solvePart(from: number, to: number): void {
    if (to - from === 1) {
      this.#match(this.#order[from]!)
      return
    }
    const place = this.#place
    for (let at = from; at < to; at++) {
      const pair = this.#order[at]!
      place[this.#pairRow[pair]!] = -1
      place[this.#rows + this.#pairColumn[pair]!] = -1
    }
    let rows = 0
    let columns = 0
    for (let at = from; at < to; at++) {
      const pair = this.#order[at]!
      const row = this.#pairRow[pair]!
      const column = this.#pairColumn[pair]!
      if (place[row] === -1) {
        place[row] = rows
        this.#partRows[rows++] = row
      }
      if (place[this.#rows + column] === -1) {
        place[this.#rows + column] = columns
        this.#partColumns[columns++] = column
      }
    }
    this.#fillCosts(from, to, rows, columns)
    this.#augmentAll(rows, columns)
    for (let column = 1; column <= columns; column++) {
      const row = this.#taken[column]!
      if (row > 0) this.#pairUp(this.#partRows[row - 1]!, this.#partColumns[column - 1]!)
    }
  }

  #match(pair: number): void {
    this.#pairUp(this.#pairRow[pair]!, this.#pairColumn[pair]!)
  }

  #pairUp(row: number, column: number): void {
    this.columnOf[row] = column
    this.rowOf[column] = row
  }

  #fillCosts(from: number, to: number, rows: number, columns: number): void {
    const width = columns + rows
    if (this.#cost.length < rows * width) this.#cost = new Float64Array(rows * width * 2)
    if (this.#isDone.length < width + 1) {
      const size = (width + 1) * 2
      this.#rowPotential = new Float64Array(size)
      this.#columnPotential = new Float64Array(size)
      this.#taken = new Int32Array(size)
      this.#way = new Int32Array(size)
      this.#least = new Float64Array(size)
      this.#isDone = new Uint8Array(size)
    }
    this.#cost.fill(Number.POSITIVE_INFINITY, 0, rows * width)
    for (let row = 0; row < rows; row++) this.#cost[row * width + columns + row] = this.#price
    for (let at = from; at < to; at++) {
      const pair = this.#order[at]!
      const row = this.#place[this.#pairRow[pair]!]!
      const column = this.#place[this.#rows + this.#pairColumn[pair]!]!
      this.#cost[row * width + column] = this.#pairCost[pair]!
    }
  }

  /** Rows and columns count from 1 here; 0 is where an augmenting path starts. */
  #augmentAll(rows: number, columns: number): void {
    const width = columns + rows
    this.#rowPotential.fill(0, 0, rows + 1)
    this.#columnPotential.fill(0, 0, width + 1)
    this.#taken.fill(0, 0, width + 1)
    for (let row = 1; row <= rows; row++) this.#augment(row, width)
  }

  #augment(row: number, width: number): void {
    const cost = this.#cost
    const least = this.#least
    const way = this.#way
    const taken = this.#taken
    const isDone = this.#isDone
    const rowPotential = this.#rowPotential
    const columnPotential = this.#columnPotential
    least.fill(Number.POSITIVE_INFINITY, 0, width + 1)
    isDone.fill(0, 0, width + 1)
    taken[0] = row
    let column = 0
    do {
      isDone[column] = 1
      const from = taken[column]!
      const offset = (from - 1) * width - 1
      let delta = Number.POSITIVE_INFINITY
      let next = 0
      for (let to = 1; to <= width; to++) {
        if (isDone[to] === 1) continue
        const reduced = cost[offset + to]! - rowPotential[from]! - columnPotential[to]!
        if (reduced < least[to]!) {
          least[to] = reduced
          way[to] = column
        }
        if (least[to]! < delta) {
          delta = least[to]!
          next = to
        }
      }
      for (let to = 0; to <= width; to++) {
        if (isDone[to] === 1) {
          rowPotential[taken[to]!]! += delta
          columnPotential[to]! -= delta
        } else least[to]! -= delta
      }
      column = next
    } while (taken[column] !== 0)
    while (column !== 0) {
      const before = way[column]!
      taken[column] = taken[before]!
      column = before
    }
  }
}

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}
