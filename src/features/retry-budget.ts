// How many retries a Service gets, as a share of what it is asked. Knows no kind.

import { pct } from '../api/fields.js';
import { integer, object, type Static } from '../api/schema.js';
import { ok } from '../lib/result.js';
import { defineFeature } from './feature.js';

/** `upstream.retryBudget`. */
export const retryBudgetSchema = object(
  {
    percent: pct({
      doc: 'Retries as a share of active requests.',
      default: 20,
      envoy: 'RetryBudget.budget_percent',
    }),
    minConcurrency: integer(
      { min: 1, max: 10_000 },
      {
        doc: 'Retries that are always allowed at once.',
        default: 10,
        envoy: 'RetryBudget.min_retry_concurrency',
      },
    ),
  },
  { doc: 'How many retries a Service gets.' },
);

/** A budget after defaults. */
export type RetryBudget = Static<typeof retryBudgetSchema>;

/** `upstream.retryBudget`. A fixed number of retries in `circuitBreaker.maxRetries` stands in its place. */
export const retryBudget = defineFeature<'retryBudget', RetryBudget, RetryBudget>({
  key: 'retryBudget',
  summary: 'How many retries a Service gets.',
  compile: (config) => ok(config),
  onCluster: ({ percent, minConcurrency }) => ({
    thresholds: { retryBudget: { budgetPercent: { value: percent }, minRetryConcurrency: minConcurrency } },
  }),
});
