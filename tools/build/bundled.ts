// What esbuild has made of modules, as V8 likes it: it makes variables of all that they declare, which V8 looks up at every use where it
// folds constants into the code.
import ts from "typescript";

/** The text of a bundle in which those of the outermost variables that nothing is assigned to are constants. */
export function withConstantsAgain(text: string): string {
  const source = ts.createSourceFile("quick.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const assigned = new Set<string>();
  const visit = (node: ts.Node): void => {
    const target = targetOf(node);
    if (target !== undefined) for (const name of namesIn(target)) assigned.add(name);
    ts.forEachChild(node, visit);
  };
  visit(source);
  let result = text;
  for (const statement of [...source.statements].reverse()) {
    if (!ts.isVariableStatement(statement)) continue;
    const { declarations } = statement.declarationList;
    const isFixed = declarations.every(
      ({ name, initializer }) => initializer !== undefined && namesIn(name).every((one) => !assigned.has(one)),
    );
    const start = statement.getStart(source);
    if (isFixed) result = `${result.slice(0, start)}const${result.slice(start + "var".length)}`;
  }
  return result;
}

const counting: readonly ts.SyntaxKind[] = [ts.SyntaxKind.PlusPlusToken, ts.SyntaxKind.MinusMinusToken];

/** What an expression or loop assigns to. */
function targetOf(node: ts.Node): ts.Node | undefined {
  const { FirstAssignment, LastAssignment } = ts.SyntaxKind;
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    return kind >= FirstAssignment && kind <= LastAssignment ? node.left : undefined;
  }
  if (ts.isForOfStatement(node) || ts.isForInStatement(node)) return node.initializer;
  if (ts.isPostfixUnaryExpression(node)) return node.operand;
  const isCount = ts.isPrefixUnaryExpression(node) && counting.includes(node.operator);
  return isCount ? node.operand : undefined;
}

/** The variables that a target names, some of which may only be read. What lies in an object is none. */
function namesIn(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) return [];
  if (ts.isIdentifier(node)) return [node.text];
  const names: string[] = [];
  ts.forEachChild(node, (child) => {
    names.push(...namesIn(child));
  });
  return names;
}
