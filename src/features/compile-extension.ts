// One extension to its part of Envoy, or why it cannot be. Knows no kind.

import { err, ok, type Result } from '../lib/result.js';
import { compileExtProc } from './ext-proc.js';
import type { ExtensionPart } from './extension-parts.js';
import type { Extensions } from './extensions.js';
import { compileLua } from './lua.js';
import { compilePatch } from './patch.js';

const unsupported = (path: string, rest: string): Result<never> =>
  err([{ path, reason: 'UnsupportedValue', message: `\`${path.replace(/^spec\./, '')}\` ${rest}` }]);

/** Compiles an extension that is written at `path`. */
export function compileExtension(extension: Extensions[number], path: string): Result<ExtensionPart> {
  const { type, direction, config } = extension;
  if (config !== undefined && (type === 'Wasm' || type === 'Patch'))
    return unsupported(`${path}.config`, `is set, which type '${type}' does not read`);
  if (type === 'Lua' && config !== undefined && direction !== 'Inbound')
    return unsupported(
      `${path}.config`,
      `is set with direction '${direction}'; it travels with routes, and those of calls out are shared with other workloads: write it into the script`,
    );
  switch (type) {
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
