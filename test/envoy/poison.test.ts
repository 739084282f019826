// One poisoned rule among a hundred: Envoy refuses it although our own checks pass. Its owner is told, everybody else's
// change is live at once, on delta and on state-of-the-world Envoys alike.

import { expect } from 'chai';
import { systemClock as clock } from '../../src/lib/clock.js';
import { eventually } from '../support/eventually.js';
import { conditionOf, type Mesh, startMesh, type StatusItem } from './harness.js';
import { startLoad } from './load.js';
import { answering, deployment, fileOf, ownNamespace, prefix, service, trafficRoute, type Written } from './objects.js';

const count = 100;
const boundMs = 2_000;
const indices = Array.from({ length: count }, (_, index) => index);

/** Small for JavaScript's RE2, which counts characters; too large for Envoy's, which counts bytes. */
const tooLarge = '\\pL{900}';
const poisoned: Written = { headers: [{ name: 'x-name', type: 'RegularExpression', value: tooLarge }] };

/** What a hundred routes look like. */
interface Layout {
  readonly services: readonly string[];
  readonly url: (index: number) => string;
  readonly route: (index: number, rule: Written) => Written;
  readonly matches: (index: number) => readonly Written[];
}

const layouts = (namespace: string): Readonly<Record<string, Layout>> => ({
  'a hundred routes on a hundred Services': {
    services: indices.map((index) => `s${String(index)}`),
    url: (index) => `http://s${String(index)}/`,
    route: (index, rule) =>
      trafficRoute(namespace, `r${String(index)}`, { parent: `s${String(index)}`, rules: [rule] }),
    matches: () => [prefix('/')],
  },
  'a hundred routes on one Service': {
    services: ['shared'],
    url: (index) => `http://shared/r${String(index)}/`,
    route: (index, rule) => trafficRoute(namespace, `r${String(index)}`, { parent: 'shared', rules: [rule] }),
    matches: (index) => [prefix(`/r${String(index)}`)],
  },
});

const stems = ['poison-many', 'poison-one'];

for (const [nth, title] of Object.keys(layouts('')).entries()) {
  describe(`poison: ${title}`, function () {
    this.timeout(90_000);
    const namespace = ownNamespace(stems[nth] ?? 'poison');
    const layout = layouts(namespace)[title];
    const delta = `${namespace}/delta-0`;
    const world = `${namespace}/world-0`;
    let mesh: Mesh;
    /** What each route should answer. */
    const wanted = new Map<number, string>();

    const routesOf = (generation: string, bad: readonly number[]): string =>
      fileOf(
        indices.flatMap((index) => {
          const matches = [
            ...(layout?.matches(index) ?? []),
            ...(bad.includes(index) ? [{ ...layout?.matches(index)[0], ...poisoned }] : []),
          ];
          const rule = answering(bad.includes(index) ? 'poisoned' : generation, { name: 'main', matches });
          return layout === undefined ? [] : [layout.route(index, rule)];
        }),
      );

    /** Changes all routes at once; those that are poisoned are expected to answer as before. */
    async function change(generation: string, bad: readonly number[] = []): Promise<void> {
      for (const index of indices) if (!bad.includes(index)) wanted.set(index, generation);
      await mesh.write('routes.yaml', routesOf(generation, bad));
    }

    /** How long it takes until every route answers as it should. */
    async function live(pods: readonly string[]): Promise<number> {
      const start = clock.now();
      const waits = pods.map((pod) => {
        let missing = [...wanted];
        return eventually(
          async () => {
            const replies = await Promise.all(
              missing.map(([index]) => mesh.ask(pod, { url: layout?.url(index) ?? '' })),
            );
            missing = missing.filter(([, body], at) => replies[at]?.body !== body);
            return missing.length === 0 || [pod, missing];
          },
          { what: 'the change to be live' },
        );
      });
      await Promise.all(waits);
      return clock.now() - start;
    }

    const nameOf = (index: number): string => `r${String(index)}`;
    const refused = (items: readonly StatusItem[]): readonly string[] =>
      items
        .filter((item) => conditionOf(item, 'Programmed').is !== 'True Programmed')
        .map((item) => item.metadata.name);

    async function expectRejected(bad: readonly number[]): Promise<void> {
      const names = bad.map(nameOf).sort().join();
      await eventually(
        async () =>
          refused(await mesh.statuses())
            .toSorted()
            .join() === names || refused(await mesh.statuses()),
        {
          what: `only ${names} to be refused`,
          deadlineMs: 5_000,
        },
      );
      for (const index of bad) {
        const item = await mesh.statusOf('TrafficRoute', `${namespace}/${nameOf(index)}`);
        const programmed = conditionOf(item, 'Programmed');
        expect(programmed.is).to.equal('False RejectedByProxy');
        expect(programmed.message)
          .to.include("Rule 'main' (`spec.rules[0]`)")
          .and.to.match(/RE2 program size of \d+|pattern too large/);
        expect(programmed.message).to.include('its last good version stays in force');
        expect(conditionOf(item, 'Ready').is).to.equal('False RejectedByProxy');
        expect(item?.status.rejections?.[0]).to.include({ rule: 'main' });
      }
    }

    /** How often Envoy refused a route configuration, or a listener. */
    const rejections = async (pod: string): Promise<number> =>
      Math.max(
        ...(await mesh.envoy(pod).stats(/(rds|lds|cds)\..*update_rejected|(rds|lds|cds)\.update_rejected/)).values(),
      );

    before(async function () {
      this.timeout(300_000);
      const workloads = ['delta', 'world', 'late', 'other'].map((name) => deployment(namespace, name));
      for (const index of indices) wanted.set(index, 'first');
      mesh = await startMesh({
        files: {
          'mesh.yaml': fileOf([...workloads, ...(layout?.services ?? []).map((name) => service(namespace, name))]),
          'routes.yaml': routesOf('first', []),
        },
        envoys: [
          { pod: delta, version: '1.39.3', protocol: 'delta' },
          { pod: world, version: '1.40.0', protocol: 'sotw' },
        ],
      });
      await live([delta, world]);
      await mesh.programmed();
    });
    after(() => mesh.stop());

    it('one is poisoned: 99 are live within 2 s, its owner reads Envoy’s words, and it keeps its last good version', async () => {
      await change('second', [42]);
      expect(await live([delta, world])).to.be.below(boundMs);
      await expectRejected([42]);
      expect(await live([delta, world])).to.be.below(boundMs);
    });

    it('what was refused is not sent again, whatever else changes', async () => {
      const before = [await rejections(delta), await rejections(world)];
      expect(Math.min(...before)).to.be.above(0);
      for (const generation of ['third', 'fourth']) {
        await change(generation, [42]);
        expect(await live([delta, world])).to.be.below(boundMs);
      }
      await expectRejected([42]);
      await mesh.write('more.yaml', fileOf([service(namespace, 'another')]));
      await eventually(async () => (await mesh.ask(delta, { url: 'http://another/' })).status === 503, {
        what: 'the new Service',
      });
      expect([await rejections(delta), await rejections(world)]).to.deep.equal(before);
    });

    it('proxies that connect later start, of a version that refused and of one that never saw it', async () => {
      await mesh.startEnvoy({ pod: `${namespace}/late-0`, version: '1.39.3' });
      expect(await live([`${namespace}/late-0`])).to.be.below(boundMs);
      expect(await rejections(`${namespace}/late-0`), 'known to be refused').to.equal(0);
      await mesh.startEnvoy({ pod: `${namespace}/other-0`, version: '1.36.4' });
      const good = wanted.get(42) ?? '';
      wanted.delete(42);
      expect(await live([`${namespace}/other-0`])).to.be.below(boundMs);
      wanted.set(42, good);
      expect(await live([delta, world, `${namespace}/late-0`])).to.be.below(boundMs);
    });

    it('three are poisoned: 97 are live within 2 s', async () => {
      await change('fifth', [7, 42, 77]);
      expect(await live([delta, world])).to.be.below(boundMs);
      await expectRejected([7, 42, 77]);
      expect(await live([delta, world])).to.be.below(boundMs);
    });

    it('fixed, all are live and programmed', async () => {
      await change('sixth');
      expect(await live([delta, world, `${namespace}/late-0`, `${namespace}/other-0`])).to.be.below(boundMs);
      await mesh.programmed();
    });

    it('a control plane that returns and remembers nothing takes nothing from the neighbours', async () => {
      await change('seventh', [42]);
      await live([delta, world]);
      await expectRejected([42]);
      const load = startLoad({
        perSecond: 100,
        applications: undefined,
        send: (nth) => mesh.ask(nth % 2 === 0 ? delta : world, { url: layout?.url(nth % 42) ?? '' }),
      });
      await mesh.controlPlane.kill();
      await mesh.controlPlane.start();
      await eventually(
        async () => refused(await mesh.statuses()).join() === nameOf(42) || refused(await mesh.statuses()),
        {
          what: 'the poisoned rule to be found again',
        },
      );
      expect((await load.stop()).lost).to.deep.equal([]);
      // What the poisoned rule was before is not remembered.
      wanted.delete(42);
      await change('eighth', [42]);
      expect(await live([delta, world])).to.be.below(boundMs);
    });
  });
}
