// Stock Envoys of every supported version take what the golden cases give: every resource of every proxy, not only what
// is printed. They are put into one static bootstrap for each version, so that `--mode validate` really builds them:
// a listener as it is (under an address of its own), a route configuration inline in a connection manager, a scope in
// an inline list, a load assignment inside of its cluster, which becomes STATIC for that.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { resourcesToJson } from '../../src/xds/readable.js';
import { bootstrapToJson, buildBootstrap } from '../../src/xds/bootstrap.js';
import { capabilitiesOf } from '../../src/xds/capabilities.js';
import type { Json, JsonObject } from '../../src/xds/json.js';
import { translate } from '../../src/xds/translate.js';
import { compileCase, goldenCases, readInput } from '../support/golden.js';

const run = promisify(execFile);
const versions = ['1.36.4', '1.39.3', '1.40.0'];

const extension = 'type.googleapis.com/envoy.extensions.filters';
const router = { name: 'envoy.filters.http.router', typed_config: { '@type': `${extension}.http.router.v3.Router` } };

/** Resources of one proxy of one case. */
interface Share {
  readonly label: string;
  readonly clusters: readonly JsonObject[];
  readonly listeners: readonly JsonObject[];
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const objects = (values: readonly Json[]): readonly JsonObject[] => values.filter(isObject);

/** A cluster with its endpoints in it. */
function withEndpoints(cluster: JsonObject, assignments: readonly JsonObject[]): JsonObject {
  const assignment = assignments.find((one) => one['cluster_name'] === cluster['name']);
  if (cluster['type'] !== 'EDS' || assignment === undefined) return cluster;
  const { eds_cluster_config: _eds, ...rest } = cluster;
  return { ...rest, type: 'STATIC', load_assignment: assignment };
}

/** A listener for nothing but a connection manager with these routes. */
const managerWith = (name: string, routes: JsonObject): JsonObject => ({
  name,
  address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
  bind_to_port: false,
  filter_chains: [
    {
      filters: [
        {
          name: 'envoy.filters.network.http_connection_manager',
          typed_config: {
            '@type': `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: 'golden',
            http_filters: [router],
            ...routes,
          },
        },
      ],
    },
  ],
});

/** Inline scopes may not ask for their routes: each brings some of that name. */
function withRoutes({ route_configuration_name: name, ...scope }: JsonObject): JsonObject {
  return { ...scope, route_configuration: { name: name ?? '', virtual_hosts: [] } };
}

const scopesWith = (scopes: readonly JsonObject[]): JsonObject => ({
  scoped_routes: {
    name: 'golden',
    scope_key_builder: { fragments: [{ header_value_extractor: { name: ':authority', index: 0 } }] },
    scoped_route_configurations_list: { scoped_route_configurations: scopes.map(withRoutes) },
  },
});

async function shares(version: string): Promise<readonly Share[]> {
  const found: Share[] = [];
  for (const golden of goldenCases()) {
    const compiled = compileCase(golden, await readInput(golden));
    for (const [label, proxy] of compiled.proxies) {
      const all = translate(compiled.model, proxy, capabilitiesOf(version));
      const [clusters, endpoints, listeners, routes, scopes] = (
        ['cluster', 'endpoint', 'listener', 'route', 'scope'] as const
      ).map((type) => objects(resourcesToJson(all[type]))) as [
        readonly JsonObject[],
        readonly JsonObject[],
        readonly JsonObject[],
        readonly JsonObject[],
        readonly JsonObject[],
      ];
      found.push({
        label: `${golden.name}|${label}`,
        clusters: clusters.map((cluster) => withEndpoints(cluster, endpoints)),
        listeners: [
          ...listeners,
          ...routes.map((route) =>
            managerWith(`route ${textOf(route['name'])}`, { route_config: { ...route, validate_clusters: false } }),
          ),
          ...(scopes.length === 0 ? [] : [managerWith('scopes', scopesWith(scopes))]),
        ],
      });
    }
  }
  return found;
}

/** Gives a socket address another host of its family. */
function moved(address: Json | undefined, number: number): Json {
  const socket = isObject(address) ? address['socket_address'] : undefined;
  if (!isObject(socket)) return address ?? null;
  const host = `${String((number >> 16) & 255)}.${String((number >> 8) & 255)}.${String(number & 255)}`;
  const isV6 = textOf(socket['address']).includes(':');
  return { socket_address: { ...socket, address: isV6 ? `fd00::${number.toString(16)}` : `10.${host}` } };
}

/** A listener that shares no address with any other. */
function alone(listener: JsonObject, name: string, number: number): JsonObject {
  const more = listener['additional_addresses'];
  return {
    ...listener,
    name,
    address: moved(listener['address'], number),
    ...(Array.isArray(more)
      ? { additional_addresses: objects(more).map((one) => ({ address: moved(one['address'], number) })) }
      : {}),
  };
}

/** One bootstrap with everything; what is equal in several cases is there once. */
function bootstrapWith(all: readonly Share[], version: string): JsonObject {
  const seen = new Set<string>();
  const fresh = (kind: string, value: JsonObject): boolean => {
    const key = kind + JSON.stringify(value);
    const isFresh = !seen.has(key);
    seen.add(key);
    return isFresh;
  };
  const clusters = all.flatMap((share) =>
    share.clusters
      .filter((one) => fresh('c', one))
      .map((one): JsonObject => {
        const name = `${share.label}|${textOf(one['name'])}`;
        const assignment = one['load_assignment'];
        return {
          ...one,
          name,
          ...(isObject(assignment) ? { load_assignment: { ...assignment, cluster_name: name } } : {}),
        };
      }),
  );
  let number = 0;
  const listeners = all.flatMap((share) =>
    share.listeners
      .filter((one) => fresh('l', one))
      .map((one) => alone(one, `${share.label}|${textOf(one['name'])}`, ++number)),
  );
  const base = bootstrapToJson(
    buildBootstrap({
      nodeId: 'golden.test',
      cluster: 'Deployment/golden.test',
      xds: { transport: 'insecure', address: '127.0.0.1', port: 18000 },
      capture: 'redirect',
      bindAddress: '127.0.0.1',
      adminSocket: '/tmp/legation-golden.sock',
    }),
    version,
  );
  const fixed = isObject(base['static_resources']) ? base['static_resources'] : {};
  const list = (value: Json | undefined): readonly JsonObject[] => (Array.isArray(value) ? objects(value) : []);
  return {
    ...base,
    static_resources: {
      ...fixed,
      clusters: [...list(fixed['clusters']), ...clusters],
      listeners: [...list(fixed['listeners']), ...listeners],
    },
  };
}

/** Envoys that validate, and only they, crash as they end where scopes of statistics are shared (1.39 and 1.40). */
const validatable = (bootstrap: string): string => bootstrap.replaceAll(',"sharing_name":"mesh"', '');

describe('golden cases: stock Envoys take them', function () {
  this.timeout(300_000);
  let folder = '';
  let binaries: readonly string[] = [];
  const all = new Map<string, readonly Share[]>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'legation-test-'));
    const { stdout } = await run('scripts/install-envoy.sh', versions);
    binaries = stdout.trim().split('\n');
    for (const version of versions) all.set(version, await shares(version));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** What Envoy says, good or bad. */
  async function validate(
    version: string,
    some: readonly Share[],
  ): Promise<{ readonly ok: boolean; readonly text: string }> {
    const file = join(folder, `${version}.json`);
    await writeFile(file, validatable(JSON.stringify(bootstrapWith(some, version))));
    const binary = binaries[versions.indexOf(version)] ?? '';
    try {
      const { stdout, stderr } = await run(binary, ['--mode', 'validate', '-c', file], { maxBuffer: 64 * 1024 * 1024 });
      return { ok: true, text: `${stdout}${stderr}` };
    } catch (error) {
      return { ok: false, text: String(error) };
    }
  }

  /** The proxies that are refused, each with Envoy's words. */
  async function refused(version: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const share of all.get(version) ?? []) {
      const { ok, text } = await validate(version, [share]);
      if (!ok) found.push(`${share.label}: ${text.slice(-2000)}`);
    }
    return found;
  }

  for (const version of versions) {
    it(version, async () => {
      const { ok, text } = await validate(version, all.get(version) ?? []);
      if (!ok) expect(await refused(version), text.slice(-2000)).to.deep.equal(['one of them']);
      expect(text.match(/^.*(deprecated|unknown field).*$/gim) ?? []).to.deep.equal([]);
    });
  }
});
