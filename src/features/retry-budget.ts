// How many retries a Service gets, as a share of what it is asked. Knows no kind.

import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';
import type { Upstream } from './upstream.js';

type RetryBudget = NonNullable<Upstream['retryBudget']>;

/** `upstream.retryBudget`. A fixed number of retries in `circuitBreaker.maxRetries` stands in its place. */
export const retryBudget = defineFeature<'retryBudget', RetryBudget, RetryBudget>({
  key: 'retryBudget',
  summary: 'How many retries a Service gets.',
  compile: (config) => ok(config),
  onCluster: ({ percent, minConcurrency }) => ({
    thresholds: { retryBudget: { budgetPercent: { value: percent }, minRetryConcurrency: minConcurrency } },
  }),
});
