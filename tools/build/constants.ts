// Puts the values of numeric constants where the emitted emulator uses them.
//
// JavaScript's modules share variables, not values: V8 loads an imported or exported name from its cell at every use and
// checks what kind of value it is, constant or not. On the paths that kernels live in, that is a third of the time.
//
//   constants.ts DIRECTORY   rewrites every .js file below it, each use of X as VALUE /* =X */; doing it again changes nothing

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

/** What a module exports: of `specifier` as an import line has it, or of the file itself where that is undefined. */
export type Exports = (specifier: string | undefined) => Promise<Readonly<Record<string, unknown>>>;

/** The text of a module with the values of numeric constants in the place of their names; those of an earlier time are renewed. */
export async function withConstants(emitted: string, exportsOf: Exports): Promise<string> {
  const text = emitted.replace(/(?:\(-\d[\d.e+]*\)|\b\d[\d.]*(?:e\+\d+)?) \/\* =([\w.]+) \*\//g, "$1");
  const source = ts.createSourceFile("emitted.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const { names, spaces } = await constantsOf(source, exportsOf);
  for (const name of localNames(source)) {
    names.delete(name);
    spaces.delete(name);
  }
  const uses: { start: number; end: number; text: string }[] = [];
  const use = (node: ts.Node, value: number, prefix = ""): void => {
    const start = node.getStart(source);
    const name = text.slice(start, node.end);
    uses.push({ start, end: node.end, text: `${prefix}${value < 0 ? `(${value})` : value} /* =${name} */` });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const value = spaces.get(node.expression.text)?.[node.name.text];
      if (isConstant(value)) use(node, value);
      return;
    }
    if (ts.isShorthandPropertyAssignment(node)) {
      const value = names.get(node.name.text);
      if (value !== undefined) use(node, value, `${node.name.text}: `);
      return;
    }
    if (ts.isIdentifier(node)) {
      const value = names.get(node.text);
      if (value !== undefined && isUse(node)) use(node, value);
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  let result = text;
  for (const { start, end, text } of uses.reverse()) result = result.slice(0, start) + text + result.slice(end);
  return result;
}

/** Not an infinity, which has no numeral, nor -0, which looks like another. */
const isConstant = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && !Object.is(value, -0);

/** Numeric constants that a module imports or exports, by name, and what it imports whole. */
async function constantsOf(source: ts.SourceFile, exportsOf: Exports) {
  const names = new Map<string, number>();
  const spaces = new Map<string, Readonly<Record<string, unknown>>>();
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)) {
      const bindings = statement.importClause?.namedBindings;
      if (bindings === undefined) continue;
      const exported = await exportsOf(statement.moduleSpecifier.text);
      if (ts.isNamespaceImport(bindings)) spaces.set(bindings.name.text, exported);
      else
        for (const { name, propertyName } of bindings.elements) {
          const value = exported[(propertyName ?? name).text];
          if (isConstant(value)) names.set(name.text, value);
        }
    } else if (isExportedConst(statement)) {
      const exported = await exportsOf(undefined);
      for (const { name } of statement.declarationList.declarations) {
        const value = ts.isIdentifier(name) ? exported[name.text] : undefined;
        if (ts.isIdentifier(name) && isConstant(value)) names.set(name.text, value);
      }
    }
  }
  return { names, spaces };
}

function isExportedConst(node: ts.Node): node is ts.VariableStatement {
  if (!ts.isVariableStatement(node) || (node.declarationList.flags & ts.NodeFlags.Const) === 0) return false;
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
}

/** Names that anything in the module but its imports and exported constants declares: they may hide a constant. */
function localNames(source: ts.SourceFile): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    const isDeclaration =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isFunctionExpression(node) ||
      ts.isClassDeclaration(node);
    const isExported = ts.isVariableDeclaration(node) && isExportedConst(node.parent.parent);
    if (isDeclaration && !isExported && node.name !== undefined && ts.isIdentifier(node.name))
      found.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Does this identifier stand for a value, and not name a property, a declaration or something imported? */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isPropertyAccessExpression(parent))
    return false;
  if (ts.isComputedPropertyName(parent)) return true;
  return (parent as { name?: ts.Node }).name !== node && (parent as { propertyName?: ts.Node }).propertyName !== node;
}

async function rewrite(file: string): Promise<void> {
  const emitted = readFileSync(file, "utf8");
  const text = await withConstants(emitted, async (specifier) => {
    const path = specifier === undefined ? file : resolve(dirname(file), specifier);
    return specifier?.startsWith(".") !== false && existsSync(path) ? await import(pathToFileURL(path).href) : {};
  });
  if (text !== emitted) writeFileSync(file, text);
}

if (process.argv[1] === import.meta.filename) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("constants: no directory given; one of emitted JavaScript would do");
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".js")) await rewrite(join(directory, name));
}
