// THE ordered lists of features, by what holds their configuration. What stands first is applied first; a feature
// that is not here does not exist.

import { compression } from './compression.js';
import { directResponse } from './direct-response.js';
import { requestHeaderModifier, responseHeaderModifier } from './header-modifiers.js';
import { inbound } from './inbound.js';
import { limits } from './limits.js';
import { maxConnections } from './max-connections.js';
import { maxRequestBytes } from './max-request-bytes.js';
import { requestMirror } from './request-mirror.js';
import { requestRedirect } from './request-redirect.js';
import { retry } from './retry.js';
import { retryBudget } from './retry-budget.js';
import { timeouts } from './timeouts.js';
import { urlRewrite } from './url-rewrite.js';

/** Members of a rule. */
export const ruleFeatures = [timeouts, retry] as const;

/** Filters of a rule. */
export const filterFeatures = [
  requestHeaderModifier,
  responseHeaderModifier,
  requestMirror,
  urlRewrite,
  requestRedirect,
  directResponse,
] as const;

/** Filters of a backend. */
export const backendFeatures = [requestHeaderModifier, responseHeaderModifier] as const;

/** Members of `upstream` of a MeshPolicy; its `timeouts` and `retry` are defaults of rules. */
export const upstreamFeatures = [retryBudget] as const;

/** Blocks of a MeshPolicy that hold where a pod is called. */
export const inboundFeatures = [limits, inbound] as const;

/** Members of `inbound` of a MeshPolicy that stand on their own; its `ports` say what is spoken. */
export const inboundMembers = [maxConnections, maxRequestBytes, compression] as const;

/** Blocks of a MeshPolicy that hold where a pod calls. */
export const outboundFeatures = [] as const;

/** Every feature, for documentation. */
export const features = [
  ...ruleFeatures,
  ...filterFeatures,
  ...upstreamFeatures,
  ...inboundFeatures,
  ...inboundMembers,
  ...outboundFeatures,
] as const;
