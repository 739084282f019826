// The features of a Service without rules.

import { compileFeature } from '../features/feature.js';
import { retry, retryDefaults } from '../features/retry.js';
import { timeouts, timeoutsDefaults } from '../features/timeouts.js';

/** What holds where no rule says anything. */
export const defaultFeatures = [
  compileFeature(timeouts, timeoutsDefaults),
  compileFeature(retry, retryDefaults),
].flatMap((one) => (one.ok ? [one.value] : []));
