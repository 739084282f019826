// Hosts outside of the cluster that the mesh keeps for some namespaces, and whether a namespace may use one.

import { describeRef, systemNamespace, type ObjectRef } from '../api/meta.js';
import { memoised } from '../lib/memo.js';
import type { Problem } from '../lib/result.js';
import { covers } from '../model/egress.js';
import type { PolicyIndex } from './policies.js';
import type { CompiledPolicy } from './policy.js';

/** What policies of the mesh say of who may use a host. */
export interface Claims {
  /** Namespaces that a host is kept for, and by which policy; undefined: it is free. */
  readonly of: (host: string) => Claim | undefined;
  /** The policy by which the mesh knows only hosts that it lists. */
  readonly deniedBy: CompiledPolicy | undefined;
  readonly isListed: (host: string) => boolean;
}

/** A host that is kept for some namespaces. */
export interface Claim {
  readonly host: string;
  readonly namespaces: readonly string[];
  readonly by: ObjectRef;
}

const admits = ({ namespaces }: Claim, namespace: string): boolean =>
  namespace === systemNamespace || namespaces.includes('*') || namespaces.includes(namespace);

/** An exact name says more than a wildcard, and a long wildcard more than a short one. */
const byPrecision = (left: { readonly host: string }, right: { readonly host: string }): number =>
  Number(left.host.startsWith('*')) - Number(right.host.startsWith('*')) || right.host.length - left.host.length;

/** The claims of a mesh: its policies of the system namespace, the older first. */
export const claimsIn = memoised(({ policies }: PolicyIndex): Claims => {
  const ofMesh = policies.filter((policy) => policy.attachments.some(({ target }) => target.level === 'mesh'));
  const listed = ofMesh.flatMap(({ ref, blocks }) => (blocks.egress?.hosts ?? []).map((one) => ({ ...one, by: ref })));
  const claims = listed
    .flatMap(({ host, namespaces, by }): Claim[] => (namespaces === undefined ? [] : [{ host, namespaces, by }]))
    .sort(byPrecision);
  const speaking = ofMesh.find(({ blocks }) => blocks.egress?.defaultAction !== undefined);
  return {
    of: (host) => claims.find((claim) => covers(claim.host, host)),
    deniedBy: speaking?.blocks.egress?.defaultAction === 'Deny' ? speaking : undefined,
    isListed: (host) => listed.some((one) => covers(one.host, host)),
  };
});

/** Why a namespace may not use a host, or undefined where it may. */
export function refusalOfHost(
  claims: Claims,
  use: { readonly host: string; readonly namespace: string; readonly path: string },
): Problem | undefined {
  const { host, namespace, path } = use;
  const claim = claims.of(host);
  const refuse = (message: string): Problem => ({ path, reason: 'RefNotPermitted', message });
  if (claim !== undefined && !admits(claim, namespace)) {
    const names = claim.namespaces.map((name) => `'${name}'`).join(', ');
    return refuse(`Host '${host}' is claimed for namespaces ${names}`);
  }
  if (claims.deniedBy === undefined || namespace === systemNamespace || claims.isListed(host)) return undefined;
  return refuse(
    `Host '${host}' is not listed in namespace '${systemNamespace}', where ${describeRef(claims.deniedBy.ref)} denies all others`,
  );
}
