/**
 * Small faults in compiled JavaScript, each one change at one place: what a test that looks closely must notice.
 *
 *     a < b       a <= b          a === b     a !== b         a && b      a || b, a
 *     a + b       a - b           a ?? b      a               if (a)      if (false)
 *     7           8               true        false           !a          a
 *     x.filter(f) x               some        every           Math.max    Math.min
 *     f(x)        (nothing)       throw x     (nothing)       a ? b : c   c
 *
 * Texts stay as they are: what a sentence says is no fault of its logic; so do numbers from 10 on, which are sizes and times that
 * one more or less says nothing about. Invariant: each mutant parses.
 */

import ts from 'typescript'

/** One change: `source.slice(start, end)` becomes `put`. Offsets count UTF-16 units of the compiled text. */
export interface Mutant {
  readonly start: number
  readonly end: number
  readonly put: string
}

const K = ts.SyntaxKind

/** Operators and what takes their place. */
const operators: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [K.LessThanToken, '<='],
  [K.LessThanEqualsToken, '<'],
  [K.GreaterThanToken, '>='],
  [K.GreaterThanEqualsToken, '>'],
  [K.EqualsEqualsEqualsToken, '!=='],
  [K.ExclamationEqualsEqualsToken, '==='],
  [K.AmpersandAmpersandToken, '||'],
  [K.BarBarToken, '&&'],
  [K.PlusToken, '-'],
  [K.MinusToken, '+'],
  [K.AsteriskToken, '/'],
  [K.SlashToken, '*'],
  [K.PercentToken, '*'],
])

/** Methods and what takes their place. */
const methods: Readonly<Record<string, string>> = { some: 'every', every: 'some', max: 'min', min: 'max' }

/** Methods whose call may be left out: what they are called on has the same type. */
const droppable = new Set([
  'filter',
  'sort',
  'toSorted',
  'reverse',
  'toReversed',
  'slice',
  'subarray',
  'trim',
])

/** Calls that only tell what happens. */
const telling = /^(this\.#?)?\w*\.?#?(logger|log|output|note)\b/

/** All mutants of the compiled module `source`, in the order of their places. */
export function mutantsOf(source: string): readonly Mutant[] {
  const file = ts.createSourceFile('module.js', source, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const mutants: Mutant[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isTemplateExpression(node)) return
    const change = changeOf(node)
    if (change !== undefined) {
      const [place, put] = change
      mutants.push({ start: place.getStart(file), end: place.end, put })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return mutants
    .filter(({ start, end, put }) => source.slice(start, end) !== put)
    .sort((a, b) => a.start - b.start)
}

/** What is put in the place of which node. */
type Change = readonly [place: ts.Node, put: string]

/** The change at `node`; undefined where it has none of its own. */
function changeOf(node: ts.Node): Change | undefined {
  if (ts.isBinaryExpression(node)) return operatorChange(node)
  if (ts.isPrefixUnaryExpression(node) && node.operator === K.ExclamationToken)
    return [node, node.operand.getText()]
  if (ts.isIfStatement(node)) return [node.expression, 'false']
  if (ts.isConditionalExpression(node))
    return isText(node.whenTrue) && isText(node.whenFalse)
      ? undefined
      : [node, `(${node.whenFalse.getText()})`]
  if (ts.isNumericLiteral(node))
    return isName(node) || Number(node.text) >= 10 ? undefined : [node, `(${node.text} + 1)`]
  if (node.kind === K.TrueKeyword) return [node, 'false']
  if (node.kind === K.FalseKeyword) return [node, 'true']
  if (ts.isThrowStatement(node)) return [node, ';']
  if (ts.isExpressionStatement(node)) return isNeeded(node) ? undefined : [node, ';']
  return ts.isCallExpression(node) ? callChange(node) : undefined
}

function operatorChange(node: ts.BinaryExpression): Change | undefined {
  const { operatorToken, left } = node
  if (operatorToken.kind === K.QuestionQuestionToken) return [node, left.getText()]
  const put = operators.get(operatorToken.kind)
  return put === undefined || isText(node) ? undefined : [operatorToken, put]
}

function callChange({ expression }: ts.CallExpression): Change | undefined {
  if (!ts.isPropertyAccessExpression(expression)) return undefined
  const { name } = expression
  const other = methods[name.text]
  if (other !== undefined) return [name, other]
  return droppable.has(name.text) ? [expression.parent, expression.expression.getText()] : undefined
}

function isText(node: ts.Node): boolean {
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) return true
  return (
    ts.isBinaryExpression(node) &&
    node.operatorToken.kind === K.PlusToken &&
    (isText(node.left) || isText(node.right))
  )
}

/** `7` of `{ 7: 'seven' }`. */
function isName(node: ts.NumericLiteral): boolean {
  return ts.isPropertyAssignment(node.parent) && node.parent.name === node
}

/** What a module cannot do without, or only tells. */
function isNeeded({ expression }: ts.ExpressionStatement): boolean {
  const call = ts.isAwaitExpression(expression) ? expression.expression : expression
  const isSuper = ts.isCallExpression(call) && call.expression.kind === K.SuperKeyword
  return isSuper || ts.isStringLiteral(call) || telling.test(call.getText())
}

/** `source` with one of its mutants. */
export function applied(source: string, { start, end, put }: Mutant): string {
  return source.slice(0, start) + put + source.slice(end)
}
