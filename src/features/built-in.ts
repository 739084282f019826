// What holds of a MeshPolicy's blocks where no policy says anything, in the words that a policy would use. A test holds
// it against what is compiled. Knows no kind.

import { parse } from '../api/schema.js';
import type { Inbound } from './inbound.js';
import { upstreamSchema, type Upstream } from './upstream.js';

/** Members that do the same when they are empty as when they are not there; others are then off, or unlimited. */
const empty = { loadBalancer: {}, connection: {}, retryBudget: {}, timeouts: {}, retry: {} };

function upstreamDefaults(): Upstream {
  const parsed = parse(upstreamSchema, empty, '');
  if (!parsed.ok) throw new Error('these members have no required fields');
  return parsed.value;
}

/** `upstream`: a member that is not here is off, or unlimited. */
export const builtInUpstream: Upstream = upstreamDefaults();

/** `inbound`. */
export const builtInInbound: Inbound = { escapedSlashes: 'Keep', mergeSlashes: true, underscoreHeaders: 'Allow' };
