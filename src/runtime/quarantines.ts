// Remembers, for each version of Envoy, what it refused, and what was good before. In memory only: after a
// restart a refused configuration is tried once more.

import type { Rule } from '../model/mesh.js';
import type { Rejection } from '../model/delivery.js';
import type { Publication } from '../xds/cache.js';
import type { Refusal } from '../xds/connection.js';
import { forgetGone, nothingRefused, onAccepted, onRefused, type Guilt, type Quarantine } from '../xds/quarantine.js';
import type { Quarantines } from '../xds/publication.js';
import { shortNameOf, type EncodedResource, type Part } from '../xds/resources.js';

/** Stateful memory of refusals. */
export interface QuarantineKeeper {
  current(): Quarantines;
  /** Takes note of a refusal; true when something else must be served now. */
  refused(refusal: Refusal): boolean;
  /** A proxy acknowledged a revision; true when something that was withheld is given back. */
  settled(event: { readonly envoy: string; readonly revision: number }): boolean;
  published(publication: Publication): void;
  /** Forgets what is no longer written. */
  prune(rules: () => ReadonlySet<Rule>): void;
  rejections(): readonly Rejection[];
}

const remembered = 16;

/** The rejection that an owner is shown. */
export function rejectionOf(guilt: Guilt, envoy: string, kept: boolean): readonly Rejection[] {
  const origins = guilt.part === undefined ? guilt.resource.origins : [guilt.part.origin];
  const resource = `${shortNameOf[guilt.resource.type]} ${guilt.resource.name}`;
  return origins.map((origin) => ({ origin, resource, message: guilt.message, envoy, kept }));
}

/** An empty memory. */
export function createQuarantineKeeper(): QuarantineKeeper {
  const quarantines = new Map<string, Quarantine>();
  const recent: Publication[] = [];
  /** Newest revision that a proxy of a version acknowledged. */
  const good = new Map<string, number>();
  let lastRevision = 0;
  const trialSince = new Map<string, number>();

  const of = (envoy: string): Quarantine => quarantines.get(envoy) ?? nothingRefused;

  const change = (envoy: string, next: Quarantine): boolean => {
    if (next === of(envoy)) return false;
    quarantines.set(envoy, next);
    trialSince.set(envoy, lastRevision + 1);
    return true;
  };

  const goodVersionOf = (refusal: Refusal): EncodedResource | undefined => {
    const { envoy, resource } = refusal;
    const publication = recent.find((one) => one.revision === good.get(envoy));
    const [namespace, capture] = refusal.viewKey.split('|');
    const layers = publication?.views.get(refusal.viewKey) ?? publication?.views.get(`${namespace ?? ''}|${capture ?? ''}`);
    let found: EncodedResource | undefined;
    for (const layer of layers?.values() ?? []) found ??= layer.find((one) => one.type === resource.type && one.name === resource.name);
    const refused = of(envoy).resources;
    return found !== undefined && (found.version === resource.version || refused.has(found.version)) ? refused.get(found.version) : found;
  };

  return {
    current: () => quarantines,
    refused: (refusal) => {
      const { envoy, resource, message } = refusal;
      return change(envoy, onRefused(of(envoy), { resource, message, good: goodVersionOf(refusal) }));
    },
    settled: ({ envoy, revision }) => {
      good.set(envoy, Math.max(revision, good.get(envoy) ?? 0));
      if (quarantines.size === 0 || revision < (trialSince.get(envoy) ?? 0)) return false;
      return change(envoy, onAccepted(of(envoy)));
    },
    published: (publication) => {
      recent.unshift(publication);
      recent.splice(remembered);
      lastRevision = publication.revision;
    },
    prune: (rules) => {
      if (quarantines.size === 0) return;
      const versions = new Set<string>();
      for (const publication of recent.slice(0, 1)) {
        for (const layers of publication.views.values()) for (const layer of layers.values()) for (const one of layer) versions.add(one.version);
      }
      const parts: ReadonlySet<Part> = rules();
      for (const [envoy, quarantine] of quarantines) quarantines.set(envoy, forgetGone(quarantine, { parts, versions }));
    },
    rejections: () =>
      [...quarantines].flatMap(([envoy, quarantine]) =>
        quarantine.guilty.flatMap((guilt) => rejectionOf(guilt, envoy, guilt.part !== undefined && quarantine.parts.get(guilt.part) !== undefined)),
      ),
  };
}
