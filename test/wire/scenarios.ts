// Conversations between a client and the server, as data. Each is one rule of docs/xds.md.

import { answers, subscriptions } from './scenarios-asking.js';
import { order, settling } from './scenarios-order.js';
import { refusals } from './scenarios-refusing.js';
import { own, returning } from './scenarios-returning.js';
import type { Scenario } from './script.js';

/** Every conversation. */
export const scenarios: readonly Scenario[] = [
  ...subscriptions,
  ...answers,
  ...order,
  ...refusals,
  ...own,
  ...returning,
  ...settling,
];
