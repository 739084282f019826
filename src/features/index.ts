// THE ordered lists of features, by what holds their configuration. What stands first is applied first; a feature
// that is not here does not exist.

import { accessLog } from './access-log.js';
import { circuitBreaker } from './circuit-breaker.js';
import { compression } from './compression.js';
import { connection } from './connection.js';
import { cors } from './cors.js';
import type { CompiledFeature } from './feature.js';
import { directResponse } from './direct-response.js';
import { fault } from './fault.js';
import { requestHeaderModifier, responseHeaderModifier } from './header-modifiers.js';
import { healthCheck } from './health-check.js';
import { inbound } from './inbound.js';
import { limits } from './limits.js';
import { loadBalancer } from './load-balancer.js';
import { locality } from './locality.js';
import { maxConnections } from './max-connections.js';
import { maxRequestBytes } from './max-request-bytes.js';
import { metrics } from './metrics.js';
import { outlierDetection } from './outlier-detection.js';
import { requestMirror } from './request-mirror.js';
import { requestRedirect } from './request-redirect.js';
import { retry } from './retry.js';
import { retryBudget } from './retry-budget.js';
import { sessionPersistence } from './session-persistence.js';
import { timeouts } from './timeouts.js';
import { tracing } from './tracing.js';
import { urlRewrite } from './url-rewrite.js';

/** Members of a rule; `fault` is all of its Fault filters. */
export const ruleFeatures = [timeouts, retry, sessionPersistence, fault] as const;

/** What a rule has that says nothing. */
export const silentRule: readonly CompiledFeature[] = ruleFeatures
  .map((feature) => feature.from({}))
  .flatMap((one) => (one?.ok === true ? [one.value] : []));

/** Filters of a rule. */
export const filterFeatures = [
  requestHeaderModifier,
  responseHeaderModifier,
  requestMirror,
  urlRewrite,
  requestRedirect,
  cors,
  directResponse,
] as const;

/** Filters of a backend. */
export const backendFeatures = [requestHeaderModifier, responseHeaderModifier] as const;

/** Members of `upstream` of a MeshPolicy; its `timeouts` and `retry` are defaults of rules. */
export const upstreamFeatures = [
  loadBalancer,
  locality,
  outlierDetection,
  circuitBreaker,
  retryBudget,
  healthCheck,
  connection,
] as const;

/** Blocks of a MeshPolicy that hold where a pod is called. */
export const inboundFeatures = [limits, inbound] as const;

/** Members of `inbound` of a MeshPolicy that stand on their own; its `ports` say what is spoken. */
export const inboundMembers = [maxConnections, maxRequestBytes, compression] as const;

/** Members of `telemetry` of a MeshPolicy, which holds on both sides. */
export const telemetryFeatures = [accessLog, tracing, metrics] as const;

/** Every feature, for documentation. */
export const features = [
  ...ruleFeatures,
  ...filterFeatures,
  ...upstreamFeatures,
  ...inboundFeatures,
  ...inboundMembers,
  ...telemetryFeatures,
] as const;
