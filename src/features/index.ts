// THE ordered lists of features, by what holds their configuration. What stands first is applied first; a feature
// that is not here does not exist.

import { accessLog } from './access-log.js';
import { circuitBreaker } from './circuit-breaker.js';
import { connection } from './connection.js';
import { directResponse } from './direct-response.js';
import { requestHeaderModifier, responseHeaderModifier } from './header-modifiers.js';
import { healthCheck } from './health-check.js';
import { inbound } from './inbound.js';
import { loadBalancer } from './load-balancer.js';
import { metrics } from './metrics.js';
import { outlierDetection } from './outlier-detection.js';
import { requestMirror } from './request-mirror.js';
import { requestRedirect } from './request-redirect.js';
import { retry } from './retry.js';
import { retryBudget } from './retry-budget.js';
import { timeouts } from './timeouts.js';
import { tracing } from './tracing.js';
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
export const upstreamFeatures = [
  loadBalancer,
  outlierDetection,
  circuitBreaker,
  retryBudget,
  healthCheck,
  connection,
] as const;

/** Blocks of a MeshPolicy that hold where a pod is called. */
export const inboundFeatures = [inbound] as const;

/** Members of `telemetry` of a MeshPolicy, which holds on both sides. */
export const telemetryFeatures = [accessLog, tracing, metrics] as const;

/** Blocks of a MeshPolicy that hold where a pod calls. */
export const outboundFeatures = [] as const;

/** Every feature, for documentation. */
export const features = [
  ...ruleFeatures,
  ...filterFeatures,
  ...upstreamFeatures,
  ...inboundFeatures,
  ...outboundFeatures,
  ...telemetryFeatures,
] as const;
