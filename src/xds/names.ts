// Every Envoy resource name, built and parsed here only: names are public API. No dots: Envoy's tag
// extractor for cluster names stops at the first one.

import { hash } from 'node:crypto';

/** The domain of Services inside a cluster. */
export const clusterDomain = 'cluster.local';

/** Labels that choose some pods of a Service. */
export type SubsetLabels = Readonly<Record<string, string>>;

/** `version=v1`: the variant of a cluster that holds the pods with these labels. */
export function nameOfSubset(labels: SubsetLabels): string {
  const plain = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key] ?? ''}`)
    .join(',');
  const safe = plain.replace(/[^a-z0-9=,-]/g, '_');
  if (safe === plain && safe.length <= 60) return safe;
  return `${safe.slice(0, 53)}~${hash('sha256', plain, 'hex').slice(0, 6)}`;
}

/** `o/shop/cart/8080`: listener, route configuration and cluster of a Service port. */
export const nameOfOutbound = (service: { namespace: string; name: string; port: number }): string =>
  `o/${service.namespace}/${service.name}/${String(service.port)}`;

/** `o/shop/cart/8080/version=v2`: the cluster of a Service port, or of a subset of its pods, or `…/db-0` of one pod. */
export const nameOfCluster = (target: {
  namespace: string;
  name: string;
  port: number;
  subset?: SubsetLabels | undefined;
  instance?: string | undefined;
}): string => {
  const variant = target.subset === undefined ? target.instance : nameOfSubset(target.subset);
  return variant === undefined ? nameOfOutbound(target) : `${nameOfOutbound(target)}/${variant}`;
};

/** `x/api.example.com/443`: cluster and route configuration of a port outside of the cluster. */
export const nameOfExternal = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `x/${host}/${String(port)}`;

/** Cluster and route configuration of destinations that have no name beforehand. */
export const unknownHosts = 'x/*';

/** `h/80`: chain and route configuration of requests on a port, to whatever address. */
export const nameOfHosts = (port: number): string => `h/${String(port)}`;

/** `d/shop/db/5432`: the pods of a headless Service, each where it was dialled. */
export const nameOfDialled = (service: { namespace: string; name: string; port: number }): string =>
  `d/${service.namespace}/${service.name}/${String(service.port)}`;

/** `f/shop/cart/8080/3fa9c1d2`: clusters that stand in for each other, in this order, for rules of a Service port. */
export const nameOfChain = (
  service: { namespace: string; name: string; port: number },
  clusters: readonly string[],
): string => {
  const { namespace, name, port } = service;
  return `f/${namespace}/${name}/${String(port)}/${hash('sha256', clusters.join('\n'), 'hex').slice(0, 8)}`;
};

const inboundPrefix = 'i/';

/** `i/8080`: listener, route configuration and delivery cluster of a port of the proxy's own pod. */
export const nameOfInbound = (port: number): string => `${inboundPrefix}${String(port)}`;

/** Whether a name stands for something of one pod alone, so that equal names differ between proxies. */
export const isOwnName = (name: string): boolean => name.startsWith(inboundPrefix) || name === explicitListener;

/** The listener of the explicit proxy, and the stem of its scopes. */
export const explicitListener = 'explicit';

/** `s/reviews:9080`: what a proxy's callers mean by an authority. Nothing else: Envoy takes no two scopes of one authority. */
export const nameOfScope = (authority: string): string => `s/${authority}`;

/** `reviews`, or `host/reviews.example.com` for rules of some names: virtual hosts must differ in their names. */
export const nameOfHost = (service: string, hostnames: readonly string[]): string => {
  const [domain = '*'] = hostnames;
  return domain === '*' ? service : `host/${domain}`;
};

/** `shop/reviews`, or `shop/reviews/host/x`: names by which a pod is called that stands behind several. */
export const nameOfArrival = (service: { namespace: string; name: string }, hostnames: readonly string[]): string => {
  const [domain = '*'] = hostnames;
  return `${service.namespace}/${service.name}${domain === '*' ? '' : `/host/${domain}`}`;
};

/** `shop/reviews/main`: a rule, in access logs and statistics. */
export const nameOfRule = (rule: { namespace: string; route: string; rule: string }): string =>
  `${rule.namespace}/${rule.route}/${rule.rule}`;

/**
 * `mesh.ext/shop/tags/add-header`: the filter of an extension, and its slot. One that asks a provider has a hash of it
 * besides: proxies of several namespaces may mean different ones by one name.
 */
export function nameOfExtension(extension: {
  readonly origin: { readonly ref: { readonly namespace: string; readonly name: string } };
  readonly name: string;
  readonly provider: unknown;
}): string {
  const { origin, name, provider } = extension;
  const mark = provider === undefined ? '' : `~${hash('sha256', JSON.stringify(provider), 'hex').slice(0, 6)}`;
  return `mesh.ext/${origin.ref.namespace}/${origin.ref.name}/${name}${mark}`;
}

/** The cluster that is never there: a route to it answers 500. */
export const unresolvedCluster = 'unresolved';
