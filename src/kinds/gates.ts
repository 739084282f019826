// What a control plane lets authors do only if whoever runs it says so: code and patches of their own act with the
// rights of the proxy. Shut unless opened.

import type { Problem } from '../lib/result.js';

/** Which gates are open. One object for each combination: what is compiled depends on its identity. */
export interface Gates {
  readonly extensions: boolean;
}

/** Every gate is shut. */
export const shutGates: Gates = { extensions: false };

const opened: Gates = { extensions: true };

/** The gates of a control plane. */
export const gatesOf = ({ extensions }: Gates): Gates => (extensions ? opened : shutGates);

/** The flag that opens the gate of MeshPolicy `extensions`. */
export const extensionsFlag = '--enable-extensions';

/** What of a MeshPolicy stands behind a gate that is shut. */
export function gateProblems(spec: { readonly extensions?: unknown }, gates: Gates): readonly Problem[] {
  if (gates.extensions || spec.extensions === undefined) return [];
  const message = `\`spec.extensions\` is set, and the gate of extensions is shut; start the control plane with ${extensionsFlag} to open it`;
  return [{ path: 'spec.extensions', reason: 'UnsupportedValue', message }];
}
