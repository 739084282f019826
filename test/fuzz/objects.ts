// Random objects of our three kinds, and Gateway API routes with the same rules. Everything about fields comes from the
// schemas; by hand is only what several fields must agree on and the repairs of `schema-values.ts` would not find often.

import fc from 'fast-check';
import { systemNamespace } from '../../src/api/meta.js';
import type { Node } from '../../src/api/schema.js';
import { kinds, userKinds, type UserKindName } from '../../src/kinds/index.js';
import { unsupported } from '../../src/kinds/unsupported.js';
import { isRecord } from '../../src/lib/record.js';
import { valuesOf } from './schema-values.js';
import { namespaces, serviceNames, servicePorts } from './texts.js';

/** A raw object, as YAML would give it. */
export type Raw = Readonly<Record<string, unknown>>;

const usual = 40;
/** Of a field or value that is not compiled: now and then, to see that it is refused. */
const seldom = 1;

/** How likely a field or a value is. Where nothing of a kind is compiled, all of it is drawn evenly. */
function chanceIn(kind: UserKindName): (path: string, value?: unknown) => number {
  const entries = unsupported[kind];
  const members = Object.keys(kinds[kind].spec.node.type === 'object' ? kinds[kind].spec.node.members : {});
  const compiled = members.filter((name) => !entries.some((entry) => entry.path === name && entry.value === undefined));
  const evenly = kind !== 'TrafficRoute' && compiled.length <= 3;
  return (path, value) => {
    const isRefused = entries.some((entry) => entry.path === path && entry.value === value);
    if (isRefused) return evenly ? 12 : seldom;
    return usual;
  };
}

const member = (node: Node, name: string): Node => {
  const found = node.type === 'object' ? node.members[name] : undefined;
  if (found === undefined) throw new Error(`the schema has no '${name}'`);
  return found;
};

const specs: Readonly<Record<UserKindName, fc.Arbitrary<unknown>>> = {
  TrafficRoute: valuesOf(kinds.TrafficRoute.spec.node, { path: '', chance: chanceIn('TrafficRoute') }),
  MeshPolicy: valuesOf(kinds.MeshPolicy.spec.node, { path: '', chance: chanceIn('MeshPolicy') }),
  MeshIdentity: valuesOf(kinds.MeshIdentity.spec.node, { path: '', chance: chanceIn('MeshIdentity') }),
};

const created = fc.option(fc.constantFrom('2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'), { nil: undefined });
const names = fc.constantFrom('r1', 'r2', 'r3', 'default');

function object(apiVersion: string, kind: string, parts: { places: readonly string[]; spec: fc.Arbitrary<unknown> }) {
  return fc
    .record({ name: names, namespace: fc.constantFrom(...parts.places), created, spec: parts.spec })
    .map(({ name, namespace, created: creationTimestamp, spec }): Raw => {
      const metadata = { name, namespace, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) };
      return { apiVersion, kind, metadata, spec };
    });
}

const fieldsIn = (value: unknown): readonly Raw[] => (Array.isArray(value) ? value.filter(isRecord) : []);
const without = (value: Raw, ...names: readonly string[]): Raw =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));

const tcpRule = (rule: Raw): Raw => ({
  backendRefs: (fieldsIn(rule['backendRefs']).length === 0
    ? [{ name: 'db', port: 5432 }]
    : fieldsIn(rule['backendRefs'])
  ).map((one) => without(one, 'filters')),
  ...(isRecord(rule['timeouts']) ? { timeouts: without(rule['timeouts'], 'backendRequest') } : {}),
  ...(isRecord(rule['retry']) ? { retry: without(rule['retry'], 'codes', 'hedgeOnTimeout') } : {}),
});

function matching(rule: Raw, change: (match: Raw) => Raw): Raw {
  return rule['matches'] === undefined ? rule : { ...rule, matches: fieldsIn(rule['matches']).map(change) };
}

/** What a route may hold depends on its protocol. */
function ofProtocol(spec: Raw, protocol: unknown): Raw {
  const own = fieldsIn(spec['rules']);
  const named = { ...spec, protocol };
  switch (protocol) {
    case 'TLS':
      return { ...named, hostnames: ['a.example.com', '*.example.org'], rules: own.map(tcpRule) };
    case 'TCP':
      return { ...named, rules: own.map(tcpRule) };
    case 'GRPC':
      return {
        ...named,
        rules: own.map((rule) =>
          matching(rule, (match) => ({
            grpc: { service: 'shop.Cart' },
            ...without(match, 'path', 'method', 'queryParams'),
          })),
        ),
      };
    default:
      return { ...named, rules: own.map((rule) => matching(rule, (match) => without(match, 'grpc'))) };
  }
}

const protocols = valuesOf(member(kinds.TrafficRoute.spec.node, 'protocol'), {
  path: 'protocol',
  chance: chanceIn('TrafficRoute'),
});

const routeSpec = fc
  .tuple(specs.TrafficRoute, fc.option(protocols, { nil: 'HTTP' }))
  .map(([spec, protocol]) => (isRecord(spec) ? ofProtocol(spec, protocol) : spec));

/** `type` names the member that is set; the rule that says so is one level up. */
function withCredential(group: Raw): Raw {
  const credential = isRecord(group['credential']) ? group['credential'] : {};
  const member = { ServiceAccount: 'serviceAccount', Certificate: 'certificateSAN', Token: 'tokenSecret' }[
    String(credential['type'])
  ];
  return { ...group, credential: { type: credential['type'], [member ?? 'serviceAccount']: 'a' } };
}

/** Outside of the system namespace a MeshIdentity may enrol nodes and nothing else; in it, it must name its domain. */
const identitySpec = (namespace: string, drawn: unknown): unknown => {
  if (!isRecord(drawn)) return drawn;
  const groups = drawn['nodes'] === undefined ? {} : { nodes: fieldsIn(drawn['nodes']).map(withCredential) };
  const spec: Raw = { ...drawn, ...groups };
  if (namespace === systemNamespace) return { trustDomain: 'mesh.example', ...spec };
  return spec['nodes'] === undefined ? {} : { nodes: spec['nodes'] };
};

/** Of every kind of ours by name. */
export const userObjects: Readonly<Record<UserKindName, fc.Arbitrary<Raw>>> = {
  TrafficRoute: object('legation.dev/v1alpha1', 'TrafficRoute', { places: namespaces, spec: routeSpec }),
  MeshPolicy: object('legation.dev/v1alpha1', 'MeshPolicy', {
    places: [...namespaces, systemNamespace],
    spec: specs.MeshPolicy,
  }),
  MeshIdentity: object('legation.dev/v1alpha1', 'MeshIdentity', {
    places: [...namespaces, systemNamespace],
    spec: specs.MeshIdentity,
  }).map((raw) => {
    const metadata = raw['metadata'] as { readonly namespace: string };
    return { ...raw, spec: identitySpec(metadata.namespace, raw['spec']) };
  }),
};

/** Any object of ours. */
export const anyUserObject: fc.Arbitrary<Raw> = fc.oneof(...userKinds.map((kind) => userObjects[kind]));

const gatewayParents = fc.array(
  fc.record(
    {
      group: fc.constant(''),
      kind: fc.constant('Service'),
      name: fc.constantFrom(...serviceNames),
      namespace: fc.constantFrom(...namespaces),
      port: fc.constantFrom(...servicePorts),
    },
    { requiredKeys: ['group', 'kind', 'name'], noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 2 },
);

const rules = valuesOf(member(kinds.TrafficRoute.spec.node, 'rules'), {
  path: 'rules',
  chance: chanceIn('TrafficRoute'),
});

/** Of the Gateway API, with rules as TrafficRoutes have them. */
export const httpRoute: fc.Arbitrary<Raw> = object('gateway.networking.k8s.io/v1', 'HTTPRoute', {
  places: namespaces,
  spec: fc.record(
    { parentRefs: gatewayParents, hostnames: fc.constant(['a.example.com']), rules },
    { requiredKeys: ['parentRefs', 'rules'], noNullPrototype: true },
  ),
});

const grpcRule = fc.record({
  matches: fc.constantFrom([], [{ method: { service: 'shop.Cart' } }], [{ method: { service: 'a.B', method: 'Get' } }]),
  backendRefs: fc.constantFrom([{ name: 'api', port: 80 }], [{ name: 'gone', port: 80 }]),
});

/** Of the Gateway API. */
export const grpcRoute: fc.Arbitrary<Raw> = object('gateway.networking.k8s.io/v1', 'GRPCRoute', {
  places: namespaces,
  spec: fc.record({ parentRefs: gatewayParents, rules: fc.array(grpcRule, { minLength: 1, maxLength: 2 }) }),
});

/** Leave of one namespace for the others to refer to what is in it. */
export const referenceGrant: fc.Arbitrary<Raw> = object('gateway.networking.k8s.io/v1', 'ReferenceGrant', {
  places: namespaces,
  spec: fc.record({
    from: fc.constantFrom(
      ...['TrafficRoute', 'HTTPRoute', 'GRPCRoute'].flatMap((kind) =>
        namespaces.map((namespace) => [
          { group: kind === 'TrafficRoute' ? 'legation.dev' : 'gateway.networking.k8s.io', kind, namespace },
        ]),
      ),
    ),
    to: fc.constantFrom([{ group: '', kind: 'Service' }], [{ group: '', kind: 'Service', name: 'api' }]),
  }),
});
