// Random valid routes and Services: compiling never throws, is the same from any order of objects, makes up no name,
// and gives nothing that breaks Envoy's own rules.

import fc from 'fast-check';
import { expect } from 'chai';
import { reconcile } from '../../../src/reconcilers/index.js';
import { checkConstraints } from '../../../src/xds/constraints.js';
import { unresolvedCluster } from '../../../src/xds/names.js';
import { codecOf, encodeResource, resourceTypes, type Resource } from '../../../src/xds/resources.js';
import { translate } from '../../../src/xds/translate.js';
import { mesh } from './arbitrary-mesh.js';
import { createWorlds, parsedOfAll, type Raw } from './harness.js';

const captures = ['redirect', 'explicit'] as const;

function compile(raws: readonly Raw[], capture: (typeof captures)[number]): readonly Resource[] {
  const { model } = reconcile(createWorlds().replace(parsedOfAll(raws)), { capture });
  return [...model.proxies.values()].flatMap((proxy) => {
    const all = translate(model, proxy);
    return resourceTypes.flatMap((type) => all[type]);
  });
}

const versions = (resources: readonly Resource[]): readonly string[] =>
  resources.map((one) => `${one.type} ${one.name} ${encodeResource(one).version}`).sort();

/** Services that a name of ours names. */
const namedIn = (name: string): string | undefined => /^o\/([^/]+)\/([^/]+)\//.exec(name)?.slice(1, 3).join('/');

describe('reconcile: any valid input', () => {
  it('gives valid, deterministic configuration of nothing but what is there', () => {
    fc.assert(
      fc.property(mesh, fc.constantFrom(...captures), (raws, capture) => {
        const resources = compile(raws, capture);
        expect(versions(compile([...raws].reverse(), capture))).to.deep.equal(versions(resources));
        const broken = resources.flatMap((one) => checkConstraints(codecOf[one.type].$type, one.message));
        expect(broken).to.deep.equal([]);
        const known = new Set(
          raws
            .filter((raw) => raw['kind'] === 'Service')
            .map((raw) => {
              const { name, namespace } = raw['metadata'] as { name: string; namespace: string };
              return `${namespace}/${name}`;
            }),
        );
        const names = resources.flatMap((one) => [one.name, ...(one.clusters ?? [])]);
        for (const name of names) {
          const named = namedIn(name);
          if (named !== undefined) expect(known.has(named), name).to.equal(true);
          expect(name).not.to.equal(unresolvedCluster).and.not.to.equal('');
        }
      }),
      { numRuns: 150, seed: 20_261 },
    );
  });

  it('is about routes that are in force', () => {
    const findings = fc.sample(mesh, { numRuns: 50, seed: 7 }).flatMap((raws) => {
      const { routes } = reconcile(createWorlds().replace(parsedOfAll(raws)), { capture: 'redirect' });
      return [
        routes.filter((route) => route.rules.length > 0).length,
        raws.filter((raw) => String(raw['kind']).endsWith('Route')).length,
      ];
    });
    const [inForce, all] = [0, 1].map((odd) =>
      findings.filter((_, index) => index % 2 === odd).reduce((sum, one) => sum + one, 0),
    );
    expect((inForce ?? 0) / (all ?? 1)).to.be.greaterThan(0.5);
  });
}).timeout(60_000);
