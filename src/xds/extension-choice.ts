// Which extensions a proxy gets: those of its side, that its Envoy is new enough for, and that it has not refused.

import type { Direction } from '../features/feature.js';
import { listInterner, memoised } from '../lib/memo.js';
import type { Capture, ExtensionInForce, MeshModel } from '../model/mesh.js';
import { isFor } from './extend.js';
import type { Extensions } from './layer.js';
import type { Quarantine } from './quarantine.js';

const intern = listInterner<ExtensionInForce>();

const minimumOf = ({ part }: ExtensionInForce): string | undefined =>
  part.kind === 'patch' ? part.minEnvoyVersion : undefined;

const numbersOf = (version: string): readonly [number, number] => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return [major, minor];
};

/** Whether `version`, `1.39` or `1.39.3`, is not older than `least`. */
export function isAtLeast(version: string, least: string): boolean {
  const [[major, minor], [leastMajor, leastMinor]] = [numbersOf(version), numbersOf(least)];
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** The versions from which on more extensions are in force, oldest first. */
export const levelsOf = memoised((extensions: Extensions): readonly string[] => {
  const levels = new Set(extensions.flatMap((one) => minimumOf(one) ?? []));
  return [...levels].sort((left, right) => (isAtLeast(left, right) ? 1 : -1));
});

/** The newest level that a version of Envoy reaches; empty where it reaches none. */
export const extensionLevelOf = (envoy: string, extensions: Extensions): string =>
  levelsOf(extensions).findLast((level) => isAtLeast(envoy, level)) ?? '';

/** A level that is beyond every version: nothing is left out. */
export const newestLevel = '999.0';

const standIns = memoised((extensions: Extensions, { parts }: Quarantine): Extensions =>
  extensions.some((one) => parts.has(one))
    ? intern(extensions.flatMap((one) => (parts.has(one) ? (extensionIn(parts.get(one)) ?? []) : one)))
    : extensions,
);

const isExtension = (part: object): part is ExtensionInForce => 'part' in part && 'stage' in part;

const extensionIn = (part: object | undefined): ExtensionInForce | undefined =>
  part !== undefined && isExtension(part) ? part : undefined;

/** Without those that need a newer Envoy; last good versions stand in for what was refused. */
export const chosenOf = (extensions: Extensions, level: string, quarantine: Quarantine): Extensions => {
  if (extensions.length === 0) return extensions;
  const levelled = levelsOf(extensions).length === 0 ? extensions : atLevel(extensions, level);
  return quarantine.parts.size === 0 ? levelled : standIns(levelled, quarantine);
};

const atLevel = (extensions: Extensions, level: string): Extensions =>
  intern(extensions.filter((one) => isAtLeast(level, minimumOf(one) ?? '0.0')));

const sideOf = (direction: Direction) =>
  memoised((extensions: Extensions) => intern(extensions.filter(isFor(direction))));

const sides = { inbound: sideOf('inbound'), outbound: sideOf('outbound') } as const;

/** Those that concern one side. */
export const onSide = (extensions: Extensions, direction: Direction): Extensions => sides[direction](extensions);

const sharedHooks: ReadonlySet<string> = new Set(['VirtualHost', 'Route', 'Cluster']);

const sharedOf: Readonly<Record<Capture, (extensions: Extensions) => Extensions>> = {
  explicit: memoised((extensions: Extensions) =>
    intern(sides.outbound(extensions).filter(({ part }) => part.kind === 'patch' && sharedHooks.has(part.hook))),
  ),
  redirect: sides.outbound,
};

/** Those that change what a proxy has in common with others. */
export const sharedExtensions = (extensions: Extensions, capture: Capture): Extensions => sharedOf[capture](extensions);

/** Every extension that is in force beside some proxy; equal answers are one object. */
export const extensionsIn = memoised((proxies: MeshModel['proxies']): Extensions => {
  const lists = new Set([...proxies.values()].map((proxy) => proxy.extensions));
  return intern([...new Set([...lists].flat())]);
});
