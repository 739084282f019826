// What is published in place of what was refused.

import { expect } from 'chai';
import type { MeshModel } from '../../../src/model/mesh.js';
import type { Publication } from '../../../src/xds/cache.js';
import { capabilitiesOf } from '../../../src/xds/capabilities.js';
import { buildPublication } from '../../../src/xds/publication.js';
import { nothingRefused } from '../../../src/xds/quarantine.js';
import type { EncodedResource } from '../../../src/xds/resources.js';
import { compileCase, goldenCases, readInput } from '../../support/golden.js';

const envoy = '1.39.3';
/** 1.40 can do the same. */
const fleet = [capabilitiesOf(envoy)];

async function modelOf(): Promise<MeshModel> {
  const [golden] = goldenCases();
  if (golden === undefined) throw new Error('no golden case');
  return compileCase(golden, await readInput(golden)).model;
}

/** What every proxy of a version of Envoy is served, and what is withheld from it. */
function servedBy(
  publication: Publication,
  version: string,
): Readonly<Record<'served' | 'withheld', readonly string[]>> {
  const keys = [...publication.proxies.values()].map((proxy) => proxy.viewFor(version));
  const labels = (all: readonly Pick<EncodedResource, 'type' | 'name'>[]) =>
    all.map((one) => `${one.type} ${one.name}`);
  return {
    served: labels(keys.flatMap((key) => publication.views.get(key) ?? []).flatMap((one) => [...one.values()].flat())),
    withheld: [...new Set(labels(keys.flatMap((key) => publication.withheld.get(key) ?? [])))],
  };
}

describe('publication', () => {
  it('withholds what a version refused and was never good, from that version alone', async () => {
    const model = await modelOf();
    const { publication: before } = buildPublication(model, new Map(), fleet);
    const resources = [...before.views.values()].flat().flatMap((section) => [...section.values()].flat());
    const listener = resources.find((one) => one.type === 'listener' && one.name.startsWith('o/'));
    const label = `listener ${String(listener?.name)}`;
    const refused = { ...nothingRefused, resources: new Map([[listener?.version ?? '', undefined]]) };
    const { publication } = buildPublication(model, new Map([[envoy, refused]]), fleet);
    expect(servedBy(publication, envoy).served).to.not.include(label);
    expect(servedBy(publication, envoy).withheld).to.deep.equal([label]);
    expect(servedBy(publication, '1.40.0').served).to.include(label);
    expect(servedBy(publication, '1.40.0').withheld).to.deep.equal([]);
  });
});
