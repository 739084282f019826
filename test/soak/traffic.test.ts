// Swaps under load: routes and Services are edited again and again while requests flow, without retries, and every
// request is counted by its id at both ends. `SWAPS=` and `SEED=` override.

import { expect } from 'chai';
import fc from 'fast-check';
import { supportedVersions } from '../envoy/harness.js';
import { startLoad } from '../envoy/load.js';
import { type SharedMesh, startSharedMesh, type TestMesh } from '../e2e/mesh.js';
import { type Server, service } from '../e2e/world.js';
import { route } from '../e2e/written.js';

const swaps = Number(process.env['SWAPS'] ?? 200);
const seed = Number(process.env['SEED'] ?? 20261122);
const perSecond = 80;

/** The mesh between two swaps. */
interface State {
  readonly weight: number;
  /** What the rule for the canary looks at. */
  readonly match: string;
  /** Name of the route; undefined: there is none, and the Service answers itself. */
  readonly route: string | undefined;
  /** A third backend, a Service of its own. */
  readonly third: boolean;
  readonly behind: readonly Server[];
  /** What the port says that it speaks. */
  readonly spoken: 'http' | 'named';
}

const first: State = {
  weight: 90,
  match: 'path: { value: /canary }',
  route: 'shop',
  third: false,
  behind: ['v1', 'v2', 'v3'],
  spoken: 'http',
};

const matches = [
  'path: { value: /canary }',
  'path: { type: RegularExpression, value: "/can.*" }',
  'headers: [{ name: x-canary, value: "1" }]',
  'method: GET',
];

/** One edit: weights, matches, a rename, a backend, deletion and return, endpoints, the way of a port. */
type Edit = (state: State) => State;

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.nat(100).map((weight): Edit => (state) => ({ ...state, weight })),
  fc.constantFrom(...matches).map((match): Edit => (state) => ({ ...state, match })),
  fc.nat(999).map((nth): Edit => (state) => ({ ...state, route: `shop-${String(nth)}` })),
  fc.constantFrom<Edit>(
    (state) => ({ ...state, third: !state.third }),
    (state) => ({ ...state, route: state.route === undefined ? 'shop' : undefined }),
    (state) => ({ ...state, behind: state.behind.length === 3 ? ['v1', 'v2'] : ['v1', 'v2', 'v3'] }),
    (state) => ({ ...state, spoken: state.spoken === 'http' ? 'named' : 'http' }),
  ),
);

const backends = ({ weight, third }: State): string =>
  [
    `{ name: shop, port: 80, weight: ${String(weight)} }`,
    `{ name: second, port: 80, weight: ${String(100 - weight)} }`,
    ...(third ? ['{ name: third, port: 80, weight: 20 }'] : []),
  ].join(', ');

const rules = (state: State): string => `
  - name: canary
    matches: [{ ${state.match} }]
    retry: { attempts: 0 }
    backendRefs: [{ name: second, port: 80 }]
  - name: main
    retry: { attempts: 0 }
    backendRefs: [${backends(state)}]`;

const write = (mesh: TestMesh, state: State): Promise<void> =>
  mesh.apply(
    service('shop', state.behind, { ports: { 80: state.spoken } }),
    service('second', ['v2']),
    state.third ? service('third', ['v3']) : [],
    state.route === undefined ? [] : route(state.route, 'shop', rules(state)),
  );

describe(`traffic: ${String(swaps)} swaps under load (SEED=${String(seed)})`, function () {
  this.timeout(30 * 60_000);
  for (const version of supportedVersions) {
    describe(`Envoy ${version}`, () => {
      let shared: SharedMesh;
      before(async () => {
        shared = await startSharedMesh(version);
      });
      after(() => shared.stop());

      it('lose no request', async () => {
        await shared.run(async (mesh) => {
          let state = first;
          await write(mesh, state);
          const load = startLoad({
            perSecond,
            applications: mesh,
            send: (nth, id) =>
              mesh.as('web').get(nth % 3 === 0 ? 'http://shop/canary' : 'http://shop/x', { 'x-id': id }),
          });
          const done: string[] = [];
          for (const next of fc.sample(edit, { seed, numRuns: swaps })) {
            state = next(state);
            done.push(JSON.stringify(state));
            await write(mesh, state);
          }
          const { sent, lost } = await load.stop();
          expect(sent).to.be.greaterThan(swaps);
          expect(lost.slice(0, 20), `of ${String(sent)}, at last\n${done.slice(-5).join('\n')}`).to.deep.equal([]);
        });
      });
    });
  }
});
