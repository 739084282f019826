// Filter chains of a port whose connections follow rules: one chain for each rule, under its name. TLS is passed through
// and told apart by SNI, in the matcher of the listener: its edits leave the connections of other chains alone.

import { FilterChain, type ListenerFilter } from '../gen/envoy/config/listener/v3/listener_components.js';
import type { Listener } from '../gen/envoy/config/listener/v3/listener.js';
import { TlsInspector } from '../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.js';
import { ServerNameInput } from '../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs.js';
import { StringValue } from '../gen/google/protobuf/wrappers.js';
import {
  Matcher,
  Matcher_MatcherList_FieldMatcher as FieldMatcher,
  Matcher_OnMatch as OnMatch,
} from '../gen/xds/type/matcher/v3/matcher.js';
import type { ChainPatch } from '../features/feature.js';
import type { HostRules, Rule } from '../model/mesh.js';
import { packAny } from '../features/any.js';
import { durationOfSeconds } from './config-source.js';
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

const serverName = {
  name: 'envoy.matching.inputs.server_name',
  typedConfig: packAny(ServerNameInput, ServerNameInput.fromPartial({})),
};

const toChain = (name: string): OnMatch =>
  OnMatch.fromPartial({
    onMatch: {
      $case: 'action',
      value: { name, typedConfig: packAny(StringValue, StringValue.fromPartial({ value: name })) },
    },
  });

/** A name with the rule for it. */
interface NamedRule {
  readonly hostname: string;
  readonly rule: Rule;
}

const isWildcard = ({ hostname }: NamedRule): boolean => hostname.startsWith('*.');

function wildcardMatcher({ hostname, rule }: NamedRule): FieldMatcher {
  return FieldMatcher.fromPartial({
    predicate: {
      matchType: {
        $case: 'singlePredicate',
        value: {
          input: serverName,
          matcher: { $case: 'valueMatch', value: { matchPattern: { $case: 'suffix', value: hostname.slice(1) } } },
        },
      },
    },
    onMatch: toChain(nameOfPath(rule)),
  });
}

/** The longest wildcard comes first. */
function wildcards(named: readonly NamedRule[]): Matcher | undefined {
  const sorted = named.filter(isWildcard).sort((left, right) => right.hostname.length - left.hostname.length);
  if (sorted.length === 0) return undefined;
  return Matcher.fromPartial({
    matcherType: { $case: 'matcherList', value: { matchers: sorted.map(wildcardMatcher) } },
  });
}

/** Names of their own before wildcards; what is named by neither falls to the default chain. */
function nameMatcher(named: readonly NamedRule[]): Matcher | undefined {
  const rest = wildcards(named);
  const exact = named.filter((one) => !isWildcard(one));
  if (exact.length === 0) return rest;
  const map = Object.fromEntries(exact.map(({ hostname, rule }) => [hostname, toChain(nameOfPath(rule))]));
  return Matcher.fromPartial({
    matcherType: {
      $case: 'matcherTree',
      value: { input: serverName, treeType: { $case: 'exactMatchMap', value: { map } } },
    },
    ...(rest === undefined ? {} : { onNoMatch: { onMatch: { $case: 'matcher', value: rest } } }),
  });
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
