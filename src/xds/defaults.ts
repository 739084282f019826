// What holds for a rule that says nothing of timeouts and retries.

import type { RouteDefaults } from '../features/route-defaults.js';
import type { PortModel, Rule } from '../model/mesh.js';

/** Policies on the route come before those on the Service, each member as a whole. */
export const defaultsFor = (rule: Rule, port: PortModel): RouteDefaults => ({
  ...port.policies.defaults,
  ...rule.defaults,
});
