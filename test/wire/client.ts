// The client's half of both protocols, in generated messages: builds requests, reads responses, remembers
// nonces, names and versions as Envoy does.

import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../src/gen/envoy/service/discovery/v3/discovery.js';
import type { Protocol } from '../../src/xds/plan.js';
import { shortNameOf, typeOfUrl, typeUrlOfType, type ResourceType } from '../../src/xds/resources.js';
import { labelOf } from './world.js';

/** A response as the client reads it. */
export interface Received {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly version: string;
  /** `a@1` by name, with the version on the wire. */
  readonly resources: ReadonlyMap<string, { readonly label: string; readonly version: string }>;
  readonly removed: readonly string[];
}

/** One line of a conversation: `cds a@1 b@1 -c`. */
export const lineOf = (received: Received): string =>
  [
    shortNameOf[received.type],
    ...[...received.resources.values()].map((one) => one.label).sort(),
    ...received.removed.map((name) => `-${name}`).sort(),
  ].join(' ');

/** Reads a response with the generated codecs. */
export function readResponse(protocol: Protocol, bytes: Uint8Array): Received {
  if (protocol === 'delta') {
    const response = DeltaDiscoveryResponse.decode(bytes);
    const type = typeOfUrl(response.typeUrl) ?? 'secret';
    const resources = new Map(
      response.resources.map((one) => [
        one.name,
        { label: labelOf(type, one.resource?.value ?? new Uint8Array()), version: one.version },
      ]),
    );
    return {
      type,
      nonce: response.nonce,
      version: response.systemVersionInfo,
      resources,
      removed: response.removedResources,
    };
  }
  const response = DiscoveryResponse.decode(bytes);
  const type = typeOfUrl(response.typeUrl) ?? 'secret';
  const entries = response.resources.map((one) => labelOf(type, one.value));
  const resources = new Map(
    entries.map((label) => [label.slice(0, label.lastIndexOf('@')), { label, version: label }]),
  );
  return { type, nonce: response.nonce, version: response.versionInfo, resources, removed: [] };
}

/** What one request says. */
export interface Said {
  readonly type: ResourceType;
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  readonly nonce?: string;
  readonly error?: string;
  readonly initial?: Readonly<Record<string, string>>;
  /** State of the world: all names, and the version that the client holds. */
  readonly names?: readonly string[];
  readonly version?: string;
}

const node = { id: 'pod.shop', cluster: 'Deployment/shop.shop' };

/** The bytes of a request. */
export function requestOf(protocol: Protocol, said: Said, withNode: boolean): Buffer {
  const typeUrl = typeUrlOfType[said.type];
  const common = {
    ...(withNode ? { node } : {}),
    typeUrl,
    responseNonce: said.nonce ?? '',
    ...(said.error === undefined ? {} : { errorDetail: { code: 13, message: said.error } }),
  };
  const bytes =
    protocol === 'delta'
      ? DeltaDiscoveryRequest.encode(
          DeltaDiscoveryRequest.fromPartial({
            ...common,
            resourceNamesSubscribe: [...(said.add ?? [])],
            resourceNamesUnsubscribe: [...(said.drop ?? [])],
            initialResourceVersions: asMapOrRecord(said.initial ?? {}),
          }),
        ).finish()
      : DiscoveryRequest.encode(
          DiscoveryRequest.fromPartial({
            ...common,
            resourceNames: [...(said.names ?? [])],
            versionInfo: said.version ?? '',
          }),
        ).finish();
  return Buffer.from(bytes);
}

/** The generated code may keep maps either way. */
const asMapOrRecord = (record: Readonly<Record<string, string>>): never =>
  (DeltaDiscoveryRequest.fromPartial({}).initialResourceVersions instanceof Map
    ? new Map(Object.entries(record))
    : record) as never;
