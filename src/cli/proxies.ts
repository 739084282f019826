// Finds proxies by the names that people type: a pod, or a workload that means its first pod. Pure.

import { didYouMean } from '../api/did-you-mean.js';
import type { MeshModel, ProxyModel } from '../model/mesh.js';

/** Enough to choose from. */
const listed = 20;

/** Pods in the order of people: `web-2` before `web-10`. */
const byName = (left: ProxyModel, right: ProxyModel): number =>
  left.key.localeCompare(right.key, 'en', { numeric: true });

/** All proxies, in the order of people. */
export const proxiesOf = (model: Pick<MeshModel, 'proxies'>): readonly ProxyModel[] =>
  [...model.proxies.values()].sort(byName);

/** `shop/web` of `Deployment/web.shop`. */
function workloadKey({ workload, namespace }: ProxyModel): string {
  const name = workload.slice(workload.indexOf('/') + 1);
  return `${namespace}/${name.slice(0, -namespace.length - 1)}`;
}

/** The proxy that NS/NAME means, if any: the pod of this name, else the first pod of the workload. */
export function findProxy(proxies: readonly ProxyModel[], name: string): ProxyModel | undefined {
  return proxies.find(({ key }) => key === name) ?? proxies.find((proxy) => workloadKey(proxy) === name);
}

/** The first proxy of each group: the others of a group get the same, but for their own address. */
export function firstOfGroups(proxies: readonly ProxyModel[]): readonly ProxyModel[] {
  const groups = new Map<string, ProxyModel>();
  for (const proxy of proxies) if (!groups.has(proxy.group)) groups.set(proxy.group, proxy);
  return [...groups.values()];
}

/** Names to choose from, one a line. */
export function proxyList(proxies: readonly ProxyModel[]): readonly string[] {
  const lines = proxies.slice(0, listed).map(({ key, workload }) => `  ${key}  (${workload})`);
  return proxies.length > listed ? [...lines, `  … and ${proxies.length - listed} more`] : lines;
}

/** What to say of a name that no proxy has. */
export function unknownProxy(proxies: readonly ProxyModel[], name: string): readonly string[] {
  const names = [...new Set([...proxies.map(({ key }) => key), ...proxies.map(workloadKey)])];
  if (proxies.length === 0) return [`no proxy '${name}': the mesh has no pods`];
  return [`no proxy '${name}'${didYouMean(name, names)}`, 'proxies:', ...proxyList(proxies)];
}
