// What a version of Envoy can do. What it lacks must not be sent: an unknown type is refused, an unknown field dropped
// in silence. Few levels, so that proxies of many versions still share what they are served.

import type { Capabilities } from '../features/feature.js';

interface Level {
  /** The first minor version of Envoy 1. */
  readonly from: number;
  readonly can: Capabilities;
}

/** The newest first. */
const levels: readonly Level[] = [
  { from: 39, can: { statsLogger: true, statsScope: true, otelService: true } },
  { from: 37, can: { statsLogger: true, statsScope: false, otelService: true } },
];

/** What every supported Envoy can do. */
export const leastCapabilities: Capabilities = { statsLogger: false, statsScope: false, otelService: false };

/** What an Envoy can do, by its version; one object for each level. The least where there is no version. */
export function capabilitiesOf(version: string): Capabilities {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 1) return levels[0]?.can ?? leastCapabilities;
  return levels.find(({ from }) => major === 1 && minor >= from)?.can ?? leastCapabilities;
}

/** `2`: stands for a level in keys. */
export const levelOf = (can: Capabilities): string => String(Object.values(can).filter(Boolean).length);
