// Remembers, for each version of Envoy, what it refused, and what was good before. In memory only: after a
// restart a refused configuration is tried once more.

import type { Rejection } from '../model/delivery.js';
import type { Publication, Section } from '../xds/cache.js';
import type { Refusal } from '../xds/connection.js';
import {
  forgetGone,
  isTrying,
  nothingRefused,
  onAccepted,
  onRefused,
  type Guilt,
  type Holds,
  type Quarantine,
} from '../xds/quarantine.js';
import type { Quarantines } from '../xds/publication.js';
import { shortNameOf, type EncodedResource, type Part } from '../xds/resources.js';

/** A proxy acknowledged a revision. */
export interface Settled {
  /** `namespace/name` of its pod. */
  readonly proxy: string;
  readonly envoy: string;
  readonly revision: number;
}

/** What an acknowledgement means. */
export interface Settling {
  /** Something that was withheld is given back, so that something else must be served now. */
  readonly changed: boolean;
  /** It is not known yet which part of a resource this proxy refuses: some of what is new is withheld from it. */
  readonly trying: boolean;
}

/** Stateful memory of refusals. */
export interface QuarantineKeeper {
  current(): Quarantines;
  /** Takes note of a refusal; true when something else must be served now. */
  refused(refusal: Refusal): boolean;
  /** A proxy acknowledged a revision. */
  settled(event: Settled): Settling;
  published(publication: Publication): void;
  /** Forgets what is no longer written. */
  prune(written: () => ReadonlySet<Part>): void;
  rejections(): readonly Rejection[];
}

const remembered = 16;

const resourcesOf = (sections: readonly Section[]): readonly EncodedResource[] =>
  sections.flatMap((section) => [...section.values()].flat());

/** The rejection that an owner is shown. */
export function rejectionOf(guilt: Guilt, envoy: string, kept: boolean): readonly Rejection[] {
  const origins = guilt.part === undefined ? guilt.resource.origins : [guilt.part.origin];
  const resource = `${shortNameOf[guilt.resource.type]} ${guilt.resource.name}`;
  return origins.map((origin) => ({ origin, resource, message: guilt.message, envoy, kept }));
}

/** Revisions by Envoy version. */
function createRevisions() {
  const byEnvoy = new Map<string, Set<number>>();
  return {
    envoys: (): Iterable<string> => byEnvoy.keys(),
    has: (envoy: string, revision: number): boolean => byEnvoy.get(envoy)?.has(revision) === true,
    add: (envoy: string, revision: number): void => {
      byEnvoy.set(envoy, (byEnvoy.get(envoy) ?? new Set()).add(revision));
    },
    forgetBefore: (oldest: number): void => {
      for (const revisions of byEnvoy.values()) for (const one of revisions) if (one < oldest) revisions.delete(one);
    },
  };
}

/** What a proxy is served by a publication. */
function heldBy(by: { readonly proxy: string; readonly envoy: string }, publication: Publication): Holds {
  const entry = publication.proxies.get(by.proxy);
  const layers = (publication.views.get(entry?.viewFor(by.envoy) ?? '') ?? []).flatMap((one) => [...one.values()]);
  return ({ type, name }) => {
    for (const layer of [...layers, entry?.ownFor(by.envoy)[type] ?? []]) {
      const found = layer.find((one) => one.type === type && one.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** An empty memory. */
export function createQuarantineKeeper(): QuarantineKeeper {
  const quarantines = new Map<string, Quarantine>();
  const recent: Publication[] = [];
  /** Of the remembered revisions, those that proxies of a version acknowledged, and those of which they refused some. */
  const accepted = createRevisions();
  const refusedIn = createRevisions();
  const lastGood = new Map<string, Publication>();
  let lastRevision = 0;
  const trialSince = new Map<string, number>();

  const of = (envoy: string): Quarantine => quarantines.get(envoy) ?? nothingRefused;

  const change = (envoy: string, next: Quarantine): boolean => {
    if (next === of(envoy)) return false;
    quarantines.set(envoy, next);
    trialSince.set(envoy, lastRevision + 1);
    return true;
  };

  /** The newest of which a version refused nothing; kept while a search fills the memory with what it refused. */
  const goodFor = (envoy: string): Publication | undefined =>
    recent.find(({ revision }) => accepted.has(envoy, revision) && !refusedIn.has(envoy, revision)) ??
    lastGood.get(envoy);

  const goodVersionOf = ({ envoy, proxy, resource }: Refusal): EncodedResource | undefined => {
    const publication = goodFor(envoy);
    return publication === undefined ? undefined : heldBy({ proxy, envoy }, publication)(resource);
  };

  const isServed = ({ envoy, proxy, resource }: Refusal, publication: Publication): boolean =>
    heldBy({ proxy, envoy }, publication)(resource)?.version === resource.version;

  return {
    current: () => quarantines,
    refused: (refusal) => {
      const { envoy, resource, message } = refusal;
      for (const publication of recent) if (isServed(refusal, publication)) refusedIn.add(envoy, publication.revision);
      return change(envoy, onRefused(of(envoy), { resource, message, good: goodVersionOf(refusal) }));
    },
    settled: ({ proxy, envoy, revision }) => {
      accepted.add(envoy, revision);
      const publication = recent.find((one) => one.revision === revision);
      if (of(envoy).trials.size === 0 || publication === undefined) return { changed: false, trying: false };
      const holds = heldBy({ proxy, envoy }, publication);
      const isAnswer = revision >= (trialSince.get(envoy) ?? 0);
      const changed = isAnswer && change(envoy, onAccepted(of(envoy), holds));
      return { changed, trying: isTrying(of(envoy), holds) };
    },
    published: (publication) => {
      for (const envoy of accepted.envoys()) {
        const good = goodFor(envoy);
        if (good !== undefined) lastGood.set(envoy, good);
      }
      recent.unshift(publication);
      recent.splice(remembered);
      const oldest = recent.at(-1)?.revision ?? 0;
      accepted.forgetBefore(oldest);
      refusedIn.forgetBefore(oldest);
      lastRevision = publication.revision;
    },
    prune: (written) => {
      if (quarantines.size === 0) return;
      const views = [...(recent[0]?.views.values() ?? [])];
      const versions = new Set(views.flatMap(resourcesOf).map((one) => one.version));
      const parts = written();
      for (const [envoy, quarantine] of quarantines)
        quarantines.set(envoy, forgetGone(quarantine, { parts, versions }));
    },
    rejections: () =>
      [...quarantines].flatMap(([envoy, quarantine]) =>
        quarantine.guilty.flatMap((guilt) =>
          rejectionOf(guilt, envoy, guilt.part !== undefined && quarantine.parts.get(guilt.part) !== undefined),
        ),
      ),
  };
}
