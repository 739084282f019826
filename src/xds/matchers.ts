// Matchers that choose a filter chain of a listener. They are edited without any effect on the connections of other chains.

import {
  DestinationIPInput,
  DestinationPortInput,
  ServerNameInput,
  TransportProtocolInput,
} from '../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs.js';
import { StringValue } from '../gen/google/protobuf/wrappers.js';
import { IPMatcher } from '../gen/xds/type/matcher/v3/ip.js';
import {
  Matcher,
  Matcher_MatcherList_FieldMatcher as FieldMatcher,
  Matcher_OnMatch as OnMatch,
} from '../gen/xds/type/matcher/v3/matcher.js';
import { packAny } from '../features/any.js';

const inputs = {
  port: {
    name: 'envoy.matching.inputs.destination_port',
    typedConfig: packAny(DestinationPortInput, DestinationPortInput.fromPartial({})),
  },
  address: {
    name: 'envoy.matching.inputs.destination_ip',
    typedConfig: packAny(DestinationIPInput, DestinationIPInput.fromPartial({})),
  },
  serverName: {
    name: 'envoy.matching.inputs.server_name',
    typedConfig: packAny(ServerNameInput, ServerNameInput.fromPartial({})),
  },
  transport: {
    name: 'envoy.matching.inputs.transport_protocol',
    typedConfig: packAny(TransportProtocolInput, TransportProtocolInput.fromPartial({})),
  },
} as const;

/** A chain by its name. */
export const toChain = (name: string): OnMatch =>
  OnMatch.fromPartial({
    onMatch: {
      $case: 'action',
      value: { name, typedConfig: packAny(StringValue, StringValue.fromPartial({ value: name })) },
    },
  });

/** What a further matcher says. */
export const toMatcher = (matcher: Matcher): OnMatch =>
  OnMatch.fromPartial({ onMatch: { $case: 'matcher', value: matcher } });

const otherwise = (rest: OnMatch | undefined) => (rest === undefined ? {} : { onNoMatch: rest });

const byText = (input: 'port' | 'serverName', ways: ReadonlyMap<string, OnMatch>, rest: OnMatch | undefined): Matcher =>
  Matcher.fromPartial({
    matcherType: {
      $case: 'matcherTree',
      value: { input: inputs[input], treeType: { $case: 'exactMatchMap', value: { map: Object.fromEntries(ways) } } },
    },
    ...otherwise(rest),
  });

/** By the port that was dialled. */
export const byPort = (ways: ReadonlyMap<number, OnMatch>, rest: OnMatch): Matcher =>
  byText('port', new Map([...ways].map(([port, way]) => [String(port), way])), rest);

/** By the address that was dialled; of an address that is listed twice, the first counts. */
export function byAddress(ways: readonly (readonly [readonly string[], OnMatch])[], rest: OnMatch): Matcher {
  const rangeMatchers = ways.map(([addresses, onMatch]) => ({
    ranges: addresses.map((address) => ({
      addressPrefix: address,
      prefixLen: address.includes(':') ? 128 : 32,
    })),
    onMatch,
  }));
  return Matcher.fromPartial({
    matcherType: {
      $case: 'matcherTree',
      value: {
        input: inputs.address,
        treeType: {
          $case: 'customMatch',
          value: {
            name: 'envoy.matching.custom_matchers.ip_range_matcher',
            typedConfig: packAny(IPMatcher, IPMatcher.fromPartial({ rangeMatchers })),
          },
        },
      },
    },
    ...otherwise(rest),
  });
}

type Pattern = { readonly $case: 'suffix' | 'exact'; readonly value: string };

const when = (input: 'serverName' | 'transport', matchPattern: Pattern, onMatch: OnMatch): FieldMatcher =>
  FieldMatcher.fromPartial({
    predicate: {
      matchType: {
        $case: 'singlePredicate',
        value: { input: inputs[input], matcher: { $case: 'valueMatch', value: { matchPattern } } },
      },
    },
    onMatch,
  });

const firstOf = (matchers: readonly FieldMatcher[], rest: OnMatch | undefined): Matcher =>
  Matcher.fromPartial({ matcherType: { $case: 'matcherList', value: { matchers } }, ...otherwise(rest) });

/** By whether TLS was spoken, as far as somebody looked. */
export const unlessTls = (plain: OnMatch, rest: OnMatch): Matcher =>
  firstOf([when('transport', { $case: 'exact', value: 'raw_buffer' }, plain)], rest);

/** The longest wildcard comes first. */
function byWildcard(ways: readonly (readonly [string, OnMatch])[], rest: OnMatch | undefined): OnMatch | undefined {
  const sorted = ways.toSorted(([left], [right]) => right.length - left.length);
  if (sorted.length === 0) return rest;
  return toMatcher(
    firstOf(
      sorted.map(([pattern, way]) => when('serverName', { $case: 'suffix', value: pattern.slice(1) }, way)),
      rest,
    ),
  );
}

/** By the name that TLS asks for: names of their own before wildcards `*.name`. */
export function byServerName(ways: ReadonlyMap<string, OnMatch>, rest?: OnMatch): OnMatch | undefined {
  const isWildcard = ([name]: readonly [string, OnMatch]): boolean => name.startsWith('*.');
  const exact = [...ways].filter((way) => !isWildcard(way));
  const others = byWildcard([...ways].filter(isWildcard), rest);
  return exact.length === 0 ? others : toMatcher(byText('serverName', new Map(exact), others));
}
