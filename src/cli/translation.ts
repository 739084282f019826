// The exact Envoy configuration of one proxy as data, by xDS type. The messages are those that go over the wire. Pure.

import type { MeshModel, ProxyModel } from '../model/mesh.js';
import { capabilitiesOf } from '../xds/capabilities.js';
import type { JsonObject } from '../xds/json.js';
import { resourceTypes, shortNameOf } from '../xds/resources.js';
import { translate } from '../xds/translate.js';
import { resourcesToJson } from '../xds/readable.js';

/** The abbreviations of all types, in the order in which they are sent. */
export const shortNames: readonly string[] = resourceTypes.map((type) => shortNameOf[type]);

/** The configuration of a proxy of version `envoy`; `types`: abbreviations, none: all that there is something of. */
export function translationOf(
  model: MeshModel,
  proxy: ProxyModel,
  { types, envoy }: { readonly types: readonly string[]; readonly envoy: string },
): JsonObject {
  const all = translate(model, proxy, capabilitiesOf(envoy));
  const wanted = resourceTypes.filter((type) =>
    types.length === 0 ? all[type].length > 0 : types.includes(shortNameOf[type]),
  );
  const resources = wanted.map((type) => [shortNameOf[type], resourcesToJson(all[type])] as const);
  return { proxy: proxy.key, group: proxy.group, resources: Object.fromEntries(resources) };
}
