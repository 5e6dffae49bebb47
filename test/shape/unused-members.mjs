/**
 * Finds methods of classes and interfaces, and fields of classes, whose name nothing in src asks for: what knip does not see.
 * Run: node test/shape/unused-members.mjs   (part of `npm run check:dead`)
 * It goes by names alone, so a member whose namesake is used stays unnoticed. Fields of interfaces are data that may go over the wire,
 * and members of classes that extend one of a package are called from there: neither is looked at.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const asked = new Set()
const members = []

/** Whether the class extends one of a package: those begin with no type of src. */
const extendsForeign = (node, imported) =>
  (node.heritageClauses ?? []).some(
    (clause) =>
      clause.token === ts.SyntaxKind.ExtendsKeyword &&
      clause.types.some((type) => imported.has(type.expression.getText())),
  )

const isMember = (node) =>
  ts.isMethodDeclaration(node) ||
  ts.isMethodSignature(node) ||
  ts.isGetAccessor(node) ||
  (ts.isPropertyDeclaration(node) && ts.isClassLike(node.parent))

for (const entry of readdirSync('src', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  if (!entry.isFile() || !/\.tsx?$/.test(path) || path.endsWith('_pb.ts')) continue
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const imported = new Set(
    file.statements
      .filter((node) => ts.isImportDeclaration(node) && !node.moduleSpecifier.text.startsWith('.'))
      .flatMap((node) => node.importClause?.namedBindings?.elements ?? node.importClause?.name ?? [])
      .map((node) => (node.name ?? node).text),
  )
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node)) asked.add(node.name.text)
    else if (ts.isElementAccessExpression(node)) asked.add(node.argumentExpression.text)
    else if (ts.isBindingElement(node)) asked.add((node.propertyName ?? node.name).getText())
    else if (
      isMember(node) &&
      !ts.isPrivateIdentifier(node.name) &&
      !ts.isObjectLiteralExpression(node.parent)
    ) {
      if (!extendsForeign(node.parent, imported)) members.push({ path, file, node })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
}

const unused = members.filter(({ node }) => !asked.has(node.name.getText()))
for (const { path, file, node } of unused) {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart())
  console.error(`${path}:${line + 1}: nothing asks for ${node.name.getText()}`)
}
process.exitCode = unused.length > 0 ? 1 : 0
