// The flags that open gates, in one place: every command that compiles a mesh has them.

import { Option } from 'commander';
import { extensionsFlag } from '../kinds/gates.js';

/** What a flag leaves behind. */
export interface GateFlags {
  readonly enableExtensions?: boolean;
}

/** `--enable-extensions`. */
export const extensionsOption = (): Option =>
  new Option(extensionsFlag, 'compile `extensions` of MeshPolicies: code and patches with the rights of the proxy');
