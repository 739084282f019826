// Golden cases: finds them, compiles them as a folder would be, and says what their files should hold. Knows no case.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { canonicalYaml } from '../../src/cli/canonical-yaml.js';
import { resourcesToJson } from '../../src/xds/readable.js';
import { idOf } from '../../src/api/meta.js';
import { systemClock } from '../../src/lib/clock.js';
import type { Finding } from '../../src/model/finding.js';
import type { Capture, MeshModel, ProxyModel } from '../../src/model/mesh.js';
import { reconcile, type Reconciled } from '../../src/reconcilers/index.js';
import { policiesTouching, summaryOfPolicy } from '../../src/reconcilers/policy-status.js';
import { createFolder } from '../../src/sources/folder.js';
import { createStore, type Parsed } from '../../src/sources/store.js';
import type { World } from '../../src/kinds/world.js';
import type { Capabilities } from '../../src/features/feature.js';
import { capabilitiesOf } from '../../src/xds/capabilities.js';
import type { Json } from '../../src/xds/json.js';
import { gatesOf } from '../../src/kinds/gates.js';
import { resourceTypes, type ResourceType } from '../../src/xds/resources.js';
import { translate, type Bundle } from '../../src/xds/translate.js';

/** Where the cases are. */
export const casesFolder = join(dirname(fileURLToPath(import.meta.url)), '..', 'golden', 'cases');

/** What `case.yaml` may say; all of it is optional. */
export interface CaseOptions {
  readonly capture?: Capture;
  /** Proxies whose resources are printed, by workload: `shop.web`; absent: all. */
  readonly proxies?: readonly string[];
  /** Resource types that are printed; absent: all. */
  readonly types?: readonly ResourceType[];
  /** Prefixes of names of resources that are printed; absent: all. */
  readonly names?: readonly string[];
  /** Version of the Envoys; absent: the oldest supported. */
  readonly envoy?: string;
  /** Whether the gate of extensions is open. */
  readonly extensions?: boolean;
}

export interface GoldenCase {
  readonly name: string;
  readonly path: string;
  readonly options: CaseOptions;
}

/** A compiled case. */
export interface Compiled {
  readonly world: World;
  readonly model: MeshModel;
  readonly findings: readonly Finding[];
  /** What status shows of policies, and of routes that policies touch. */
  readonly statuses: Json;
  /** By `namespace.workload`, the first pod of each. */
  readonly proxies: ReadonlyMap<string, ProxyModel>;
  /** Version of the Envoys, and what it can do. */
  readonly envoy: string;
  readonly can: Capabilities;
}

/** All cases. */
export function goldenCases(): readonly GoldenCase[] {
  return readdirSync(casesFolder)
    .sort()
    .map((name) => {
      const path = join(casesFolder, name);
      const file = join(path, 'case.yaml');
      const options = existsSync(file) ? (parse(readFileSync(file, 'utf8')) as CaseOptions) : {};
      return { name, path, options };
    });
}

/** The objects of a case's input, expanded as those of any folder. */
export async function readInput(golden: GoldenCase): Promise<readonly Parsed[]> {
  const folder = createFolder({ paths: [join(golden.path, 'input')], clock: systemClock, settleMs: 0 });
  try {
    const { assembly } = await folder.look({ kind: 'all', reread: true });
    return assembly.objects;
  } finally {
    await folder.close();
  }
}

/** A World of these objects, in this order. */
export function worldOf(objects: readonly Parsed[]): World {
  const store = createStore();
  const feed = store.feed();
  feed({ kind: 'init' });
  for (const object of objects) feed({ kind: 'initApply', object });
  feed({ kind: 'initDone' });
  return store.world();
}

const labelOf = (proxy: ProxyModel): string => {
  const name = proxy.workload.slice(proxy.workload.indexOf('/') + 1);
  return `${proxy.namespace}.${name.slice(0, name.lastIndexOf('.'))}`;
};

/** Compiles objects in the capture that the case asks for. */
export function compileCase(golden: GoldenCase, objects: readonly Parsed[]): Compiled {
  const world = worldOf(objects);
  const reconciled = reconcile(world, {
    capture: golden.options.capture ?? 'redirect',
    gates: gatesOf({ extensions: golden.options.extensions ?? false }),
  });
  const { model, findings } = reconciled;
  const proxies = new Map<string, ProxyModel>();
  for (const key of [...model.proxies.keys()].sort()) {
    const proxy = model.proxies.get(key);
    if (proxy !== undefined && !proxies.has(labelOf(proxy))) proxies.set(labelOf(proxy), proxy);
  }
  const { envoy = '1.36.4' } = golden.options;
  const can = capabilitiesOf(envoy);
  return { world, model, findings, statuses: statusesOf(world, reconciled), proxies, envoy, can };
}

const fileOf: Readonly<Record<ResourceType, string>> = {
  secret: 'secrets.yaml',
  cluster: 'clusters.yaml',
  endpoint: 'endpoints.yaml',
  extension: 'extensions.yaml',
  listener: 'listeners.yaml',
  scope: 'scopes.yaml',
  route: 'routes.yaml',
};

const isPrinted = (name: string, { names }: CaseOptions): boolean =>
  names === undefined || names.some((prefix) => name === prefix || name.startsWith(`${prefix}/`));

function conditionsOf(findings: readonly Finding[]): Json {
  const byObject = new Map<string, Json[]>();
  for (const finding of findings) {
    const { condition, status, reason, message, parent, path } = finding;
    const id = idOf(finding.ref);
    const shown = {
      condition,
      status,
      reason,
      message,
      ...(parent === undefined ? {} : { parent }),
      ...(path === undefined ? {} : { path }),
    };
    byObject.set(id, [...(byObject.get(id) ?? []), shown]);
  }
  return Object.fromEntries(byObject);
}

/** As the status board joins them with conditions. */
function statusesOf(world: World, { policies, routes }: Reconciled): Json {
  const context = { world, policies, routes };
  const ofPolicies = policies.policies.map((policy) => {
    const { ancestors, blocks, selected } = summaryOfPolicy(policy, context);
    const shown = { ancestors: ancestors.map(({ reference }) => reference), blocks: [...blocks] };
    return [idOf(policy.ref), selected === undefined ? shown : { ...shown, selected }] as const;
  });
  const ofRoutes = routes.flatMap((route): [string, Json][] => {
    const lines = policiesTouching(route, context);
    return lines.length === 0 ? [] : [[idOf(route.ref), { policies: [...lines] }]];
  });
  return Object.fromEntries<Json>([...ofPolicies, ...ofRoutes]);
}

/** Every file below `want`, by path, with its content. */
export function wantedFiles(golden: GoldenCase, compiled: Compiled): ReadonlyMap<string, string> {
  const { options } = golden;
  const files = new Map<string, string>();
  for (const [label, proxy] of compiled.proxies) {
    if (options.proxies !== undefined && !options.proxies.includes(label)) continue;
    const all: Readonly<Record<ResourceType, Bundle>> = translate(compiled.model, proxy, compiled.can);
    for (const type of resourceTypes.filter((one) => options.types?.includes(one) ?? true)) {
      const printed = all[type].filter(({ name }) => isPrinted(name, options));
      if (printed.length > 0) files.set(join(label, fileOf[type]), canonicalYaml(resourcesToJson(printed)));
    }
  }
  if (compiled.findings.length > 0) files.set('conditions.yaml', canonicalYaml(conditionsOf(compiled.findings)));
  if (compiled.world.meshPolicies.size > 0) files.set('status.yaml', canonicalYaml(compiled.statuses));
  return files;
}
