// Filter chains of a port whose connections follow rules: one chain for each rule, under its name. TLS is passed through
// and told apart by SNI, in the matcher of the listener: its edits leave the connections of other chains alone.

import { FilterChain, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.js';
import type { Matcher } from '../gen/xds/type/matcher/v3/matcher.js';
import type { ChainPatch } from '../features/feature.js';
import type { HostRules, Rule } from '../model/mesh.js';
import { packAny } from '../features/any.js';
import { durationOfSeconds } from './config-source.js';
import { byServerName, toChain } from './matchers.js';
import { nameOfOutbound } from './names.js';
import type { RouteOwner } from './routes.js';
import { nameOfPath, pathBy, pathTo, ruleOf, tcpProxy, type ConnectionPath } from './tcp.js';

/** What a listener does, and the rules that say so. */
export interface Chains {
  readonly chains: Partial<Listener>;
  readonly rules: readonly Rule[];
}

/** The Service port that the chains are for. */
interface PortOwner extends Pick<RouteOwner, 'service' | 'port'> {
  /** What policies say of each of its chains. */
  readonly patch: ChainPatch;
}

const chainOf = (name: string, path: ConnectionPath, { before = [], tcp }: ChainPatch): FilterChain =>
  FilterChain.fromPartial({ name, filters: [...before, tcpProxy(path, tcp)] });

const chainOfRule =
  (owner: PortOwner) =>
  (rule: Rule): FilterChain => {
    const path = pathBy(rule, owner);
    return chainOf(path.name, path, owner.patch);
  };

function plainChain({ service, port, patch }: PortOwner): FilterChain {
  const name = nameOfOutbound({ ...service.ref, port: port.port });
  return chainOf('tcp', pathTo(name, name, port), patch);
}

/** A connection says its name first. One that says nothing is closed, not sent where its name does not belong. */
const nameInspection = {
  listenerFilters: [
    {
      name: 'envoy.filters.listener.tls_inspector',
      configType: { $case: 'typedConfig', value: packAny(TlsInspector, TlsInspector.fromPartial({})) },
      filterDisabled: undefined,
    } satisfies ListenerFilter,
  ],
  listenerFiltersTimeout: durationOfSeconds(15),
};

/** A name with the rule for it. */
interface NamedRule {
  readonly hostname: string;
  readonly rule: Rule;
}

/** What is named by no rule falls to the default chain. */
function nameMatcher(named: readonly NamedRule[]): Matcher | undefined {
  const way = byServerName(new Map(named.map(({ hostname, rule }) => [hostname, toChain(nameOfPath(rule))])));
  return way?.onMatch?.$case === 'matcher' ? way.onMatch.value : undefined;
}

const namedRules = (hosts: readonly HostRules[]): readonly NamedRule[] =>
  hosts.flatMap((host) => {
    const rule = ruleOf(host);
    return rule === undefined ? [] : host.hostnames.map((hostname) => ({ hostname, rule }));
  });

/** The chains of a port for the callers that these rules are for; without any, all goes to the Service itself. */
export function ruledChains(owner: PortOwner, hosts: readonly HostRules[]): Chains {
  const named = namedRules(hosts);
  const rules = [...new Set(named.map(({ rule }) => rule))];
  const forAll = named.find(({ hostname }) => hostname === '*')?.rule;
  if (forAll !== undefined) return { chains: { filterChains: [chainOfRule(owner)(forAll)] }, rules: [forAll] };
  if (rules.length === 0) return { chains: { filterChains: [plainChain(owner)] }, rules };
  const chains = {
    ...nameInspection,
    filterChains: rules.map(chainOfRule(owner)),
    filterChainMatcher: nameMatcher(named),
    defaultFilterChain: plainChain(owner),
  };
  return { chains, rules };
}
