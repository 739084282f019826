// One extension to its part of Envoy, or why it cannot be. Knows no kind.

import { err, ok, type Result } from '../lib/result.js';
import { compileExtProc } from './ext-proc.js';
import type { ExtensionPart } from './extension-parts.js';
import type { Extensions } from './extensions.js';
import { compileLua } from './lua.js';
import { compilePatch } from './patch.js';

const unsupported = (path: string, rest: string): Result<never> =>
  err([{ path, reason: 'UnsupportedValue', message: `\`${path.replace(/^spec\./, '')}\` ${rest}` }]);

/** What reads no config, or cannot be given any. */
function configProblem({ type, direction }: Extensions[number]): string | undefined {
  if (type === 'Wasm' || type === 'Patch') return `is set, which type '${type}' does not read`;
  if (type === 'ExtProc' || direction === 'Inbound') return undefined;
  return `is set with direction '${direction}'; it travels with routes, and those of calls out are shared with other workloads: write it into the script`;
}

/** Compiles an extension that is written at `path`. */
export function compileExtension(extension: Extensions[number], path: string): Result<ExtensionPart> {
  const problem = extension.config === undefined ? undefined : configProblem(extension);
  if (problem !== undefined) return unsupported(`${path}.config`, problem);
  switch (extension.type) {
    case 'Lua':
      return ok(compileLua(extension));
    case 'Patch':
      return compilePatch(extension, path);
    case 'ExtProc':
      return compileExtProc(extension, path);
    case 'Wasm':
      return unsupported(
        `${path}.type`,
        "is 'Wasm', which this version does not compile: the control plane does not fetch modules; use 'Lua' or 'ExtProc'",
      );
  }
}
