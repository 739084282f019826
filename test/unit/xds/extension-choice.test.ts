// Which extensions a proxy gets, by its version and by what it refused.

import { expect } from 'chai';
import type { ExtensionInForce } from '../../../src/model/mesh.js';
import { chosenOf, extensionLevelOf, isAtLeast, levelsOf } from '../../../src/xds/extension-choice.js';
import { nothingRefused } from '../../../src/xds/quarantine.js';

const patch = (name: string, minEnvoyVersion?: string): ExtensionInForce => ({
  origin: { ref: { kind: 'MeshPolicy', namespace: 'shop', name: 'p' }, generation: 1, part: `extensions[${name}]` },
  name,
  direction: 'Inbound',
  stage: 'BeforeRouter',
  part: { kind: 'patch', hook: 'Cluster', match: '*', fields: {}, minEnvoyVersion },
  provider: undefined,
});

const [any, from38, from40] = [patch('any'), patch('38', '1.38'), patch('40', '1.40')];
const all = [from40, any, from38];

describe('choice of extensions', () => {
  it('compares versions by number', () => {
    expect(isAtLeast('1.40.0', '1.9')).to.equal(true);
    expect(isAtLeast('1.36.4', '1.39')).to.equal(false);
    expect(isAtLeast('2.0', '1.39')).to.equal(true);
    expect(isAtLeast('', '0.0')).to.equal(true);
    expect(isAtLeast('', '1.36')).to.equal(false);
  });

  it('puts versions on few levels', () => {
    expect(levelsOf(all)).to.deep.equal(['1.38', '1.40']);
    expect(['', '1.36.4', '1.39.3', '1.41.0'].map((envoy) => extensionLevelOf(envoy, all))).to.deep.equal([
      '',
      '',
      '1.38',
      '1.40',
    ]);
  });

  it('leaves out what needs a newer Envoy', () => {
    expect(chosenOf(all, '', nothingRefused)).to.deep.equal([any]);
    expect(chosenOf(all, '1.38', nothingRefused)).to.deep.equal([any, from38]);
    expect(chosenOf(all, '1.40', nothingRefused))
      .to.equal(chosenOf(all, '1.40', nothingRefused))
      .and.have.length(3);
  });

  it('replaces what was refused by the last good one, or leaves it out', () => {
    const older = patch('any');
    const withheld = (good: ExtensionInForce | undefined) => ({ ...nothingRefused, parts: new Map([[any, good]]) });
    expect(chosenOf([any], '', withheld(older))).to.deep.equal([older]);
    expect(chosenOf([any], '', withheld(undefined))).to.deep.equal([]);
  });
});
