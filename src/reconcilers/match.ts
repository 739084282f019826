// Matches of a rule in the language of the model.

import { escapeRegex } from '../features/envoy-values.js';
import type { RouteMatch } from '../kinds/route-match.js';
import type { GrpcMatch, Match, TextMatch } from '../model/mesh.js';
import type { RouteProtocol } from './protocol.js';
import { sourceOf } from './source.js';

const pathKinds = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' } as const;

const textKinds = {
  Exact: 'exact',
  RegularExpression: 'regex',
  Prefix: 'prefix',
  Suffix: 'suffix',
  Contains: 'contains',
} as const;

function textMatch(type: keyof typeof textKinds | 'Present', value: string | undefined): TextMatch {
  return type === 'Present' ? { kind: 'present' } : { kind: textKinds[type], value: value ?? '' };
}

/** The match that every request meets. */
export const anyRequest: Match = {
  path: { kind: 'prefix', value: '/', ignoreCase: false },
  method: undefined,
  headers: [],
  queryParams: [],
  cookies: [],
  grpc: undefined,
  sources: [],
};

const anyCall: GrpcMatch = { service: undefined, method: undefined };

/** The match of a rule that names none. */
export const anyOf = (protocol: RouteProtocol): Match =>
  protocol === 'GRPC' ? { ...anyRequest, grpc: anyCall } : anyRequest;

function pathOf({ type, value, ignoreCase }: NonNullable<RouteMatch['path']>): Match['path'] {
  return { kind: pathKinds[type], value: type === 'PathPrefix' ? prefixValue(value) : value, ignoreCase };
}

/** `/api/` and `/api` are one prefix. */
const prefixValue = (value: string): string => value.replace(/\/+$/, '') || '/';

/** An empty name is no name. */
const callOf = ({ type, service, method }: NonNullable<RouteMatch['grpc']>): GrpcMatch => {
  const named = (value: string | undefined): TextMatch | undefined =>
    value === undefined || value === '' ? undefined : textMatch(type, value);
  return { service: named(service), method: named(method) };
};

function segment(match: TextMatch | undefined): string {
  if (match === undefined || match.kind === 'present') return '[^/]+';
  return match.kind === 'regex' ? `(?:${match.value})` : escapeRegex(match.value);
}

/** A gRPC call is a request for `/package.Service/Method`. */
function pathOfCall({ service, method }: GrpcMatch): Match['path'] {
  if (service === undefined && method === undefined) return anyRequest.path;
  if (service?.kind === 'exact' && method?.kind === 'exact')
    return { kind: 'exact', value: `/${service.value}/${method.value}`, ignoreCase: false };
  if (service?.kind === 'exact' && method === undefined)
    return { kind: 'prefix', value: `/${service.value}`, ignoreCase: false };
  return { kind: 'regex', value: `/${segment(service)}/${segment(method)}`, ignoreCase: false };
}

function targetOf(match: RouteMatch, protocol: RouteProtocol): Pick<Match, 'path' | 'grpc'> {
  if (protocol !== 'GRPC')
    return { path: match.path === undefined ? anyRequest.path : pathOf(match.path), grpc: undefined };
  const grpc = match.grpc === undefined ? anyCall : callOf(match.grpc);
  return { path: pathOfCall(grpc), grpc };
}

/** One entry of `matches`. */
export function matchOf(match: RouteMatch, protocol: RouteProtocol): Match {
  return {
    ...targetOf(match, protocol),
    method: match.method,
    headers: (match.headers ?? []).map((header) => ({
      name: header.name,
      match: textMatch(header.type, header.value),
      invert: header.invert,
    })),
    queryParams: (match.queryParams ?? []).map((param) => ({
      name: param.name,
      match: textMatch(param.type, param.value),
    })),
    cookies: (match.cookies ?? []).map(({ name, value }) => ({ name, value })),
    sources: match.source === undefined ? [] : [sourceOf(match.source)],
  };
}
