// A hook of Node's module loader for users' programs: `ring0` and `ring0/*` mean this very installation, wherever the program
// lies, and a program without a package.json beside it is a module all the same.
import type { ResolveFnOutput, ResolveHookContext } from "node:module";

type NextResolve = (specifier: string, context?: Partial<ResolveHookContext>) => Promise<ResolveFnOutput>;

/** Resolves the package's name from inside the package, where Node finds it in the package's own exports. */
export async function resolve(
  specifier: string,
  context: ResolveHookContext,
  next: NextResolve,
): Promise<ResolveFnOutput> {
  const isOurs = specifier === "ring0" || specifier.startsWith("ring0/");
  const found = await next(specifier, isOurs ? { ...context, parentURL: import.meta.url } : context);
  return found.url.endsWith(".ts") && !found.url.includes("/node_modules/") ? { ...found, format: "module" } : found;
}
