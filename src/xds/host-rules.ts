// Rules of routes that are attached to hosts outside of the cluster, as some callers see them.

import { covers, type ExternalPort } from '../model/egress.js';
import type { Caller, Capture, HostRules, MeshModel, PortModel, Rule } from '../model/mesh.js';
import { buildRuledHost, type RuledHost } from './routes.js';
import { rulesFor } from './substitution.js';

/** Hosts with the routes on them, and who looks. */
export interface HostView {
  readonly hosts: MeshModel['hosts'];
  readonly caller: Caller;
  readonly capture: Capture;
  /** What stands in for a rule: itself, its last good version, or nothing. */
  readonly substitute?: ((rule: Rule) => Rule | undefined) | undefined;
}

/** A name of its own comes before wildcards, and these before rules for all names. */
function ruling(hosts: readonly HostRules[], name: string): HostRules | undefined {
  const named = hosts.flatMap((rules) => rules.hostnames.map((hostname) => ({ hostname, rules })));
  const meant = named.filter(({ hostname }) => hostname === '*' || covers(hostname, name));
  return meant.sort((left, right) => right.hostname.length - left.hostname.length)[0]?.rules;
}

function rulesOn(port: PortModel, view: HostView, host: string): HostRules | undefined {
  return ruling(rulesFor(port, view.caller, view.substitute), host);
}

/** What rules make of requests to a host; undefined where no route is attached to it. */
export function ruledHost({ host, port, access }: ExternalPort, view: HostView): RuledHost | undefined {
  const service = view.hosts.get(host);
  const found = service?.ports.find((one) => one.port === port);
  if (service === undefined || found === undefined || access !== 'listed') return undefined;
  const rules = rulesOn(found, view, host);
  if (rules === undefined) return undefined;
  return buildRuledHost({ service, port: found, caller: view.caller, capture: view.capture, outbound: [] }, rules);
}

/** All rules that some callers meet at a host. */
export const rulesAt = ({ host, port }: ExternalPort, { hosts, caller }: HostView): readonly Rule[] =>
  (hosts.get(host)?.ports ?? [])
    .filter((one) => one.port === port)
    .flatMap((one) => rulesFor(one, caller, undefined))
    .flatMap(({ entries }) => entries.map(({ rule }) => rule));
