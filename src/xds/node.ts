// Who a client says it is: the node of its first request. A hint, unless the transport is loopback plain text.

import { Node } from '../gen/envoy/config/core/v3/base.js';

/** The part of a node that is used. */
export interface NodeInfo {
  /** `<pod>.<namespace>`. */
  readonly id: string;
  /** `<Kind>/<workload>.<namespace>`. */
  readonly cluster: string;
  /** `1.39.3`; empty for clients that are not Envoy. */
  readonly version: string;
}

function decoded(bytes: Buffer): Node {
  try {
    return Node.decode(bytes);
  } catch (error) {
    throw new RangeError('malformed node', { cause: error });
  }
}

/** Reads an encoded node. Throws RangeError on malformed bytes. */
export function decodeNode(bytes: Buffer): NodeInfo {
  const node = decoded(bytes);
  const build =
    node.userAgentVersionType?.$case === 'userAgentBuildVersion' ? node.userAgentVersionType.value : undefined;
  const semantic = build?.version;
  const version =
    semantic === undefined
      ? ''
      : `${String(semantic.majorNumber)}.${String(semantic.minorNumber)}.${String(semantic.patch)}`;
  return { id: node.id, cluster: node.cluster, version };
}

/** The pod that a node id names, as `namespace/pod`; undefined when it names none. */
export function podOfNode(id: string): string | undefined {
  const dot = id.lastIndexOf('.');
  return dot <= 0 || dot === id.length - 1 ? undefined : `${id.slice(dot + 1)}/${id.slice(0, dot)}`;
}
