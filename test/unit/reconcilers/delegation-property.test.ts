// Random trees of routes: the flat list that a proxy tries answers each request as walking the tree does, rule by rule.

import fc from 'fast-check';
import { expect } from 'chai';
import type { Match, PathMatch, Rule } from '../../../src/model/mesh.js';
import type { RouteTree } from '../../../src/reconcilers/delegation.js';
import { anyRequest } from '../../../src/reconcilers/match.js';
import { pool } from '../../../src/reconcilers/pool.js';
import { inOrder, type RankedEntry } from '../../../src/reconcilers/precedence.js';
import type { CompiledRule } from '../../../src/reconcilers/rule.js';

interface Request {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

function meetsPath(path: string, { kind, value, ignoreCase }: PathMatch): boolean {
  const [found, wanted] = ignoreCase ? [path.toLowerCase(), value.toLowerCase()] : [path, value];
  if (kind === 'regex') return new RegExp(`^(?:${value})$`, ignoreCase ? 'i' : '').test(path);
  if (kind === 'exact' || value === '/') return kind === 'prefix' || found === wanted;
  return found === wanted || found.startsWith(`${wanted}/`);
}

const meets = (request: Request, match: Match): boolean =>
  [match.path, ...(match.within ?? [])].every((path) => meetsPath(request.path, path)) &&
  (match.method === undefined || match.method === request.method) &&
  match.headers.every(({ name, match: text, invert }) => {
    const is = text.kind === 'exact' && request.headers[name] === text.value;
    return is !== invert;
  });

const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('exact', 'prefix'),
    value: fc.constantFrom('/', '/a', '/a/b', '/A', '/ab'),
    ignoreCase: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('regex' as const),
    value: fc.constantFrom('/a.*', '.*b', '/[^/]*'),
    ignoreCase: fc.boolean(),
  }),
);
const match: fc.Arbitrary<Match> = fc.record({
  cookies: fc.constant([]),
  grpc: fc.constant(undefined),
  sources: fc.constant([]),
  path: fc.oneof(fc.constant(anyRequest.path), pathMatch),
  method: fc.constantFrom(undefined, undefined, 'GET', 'POST'),
  headers: fc.subarray([
    { name: 'x', match: { kind: 'exact' as const, value: '1' }, invert: false },
    { name: 'y', match: { kind: 'exact' as const, value: '1' }, invert: true },
  ]),
  queryParams: fc.constant([]),
});
const request: fc.Arbitrary<Request> = fc.record({
  path: fc.constantFrom('/', '/a', '/a/', '/a/b', '/a/b/c', '/ab', '/A/b', '/c'),
  method: fc.constantFrom('GET', 'POST'),
  headers: fc.constantFrom({}, { x: '1' }, { y: '1' }, { x: '1', y: '1' }),
});

/** A rule with what is below it; only rules with children hand on. */
interface Sketch {
  readonly matches: readonly Match[];
  readonly children: readonly (readonly Sketch[])[];
}
const sketchOf = (depth: number): fc.Arbitrary<Sketch> =>
  fc.record({
    matches: fc.array(match, { minLength: 1, maxLength: 2 }),
    children:
      depth === 0
        ? fc.constant([])
        : fc.array(fc.array(sketchOf(depth - 1), { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
  });

function treeOf(sketches: readonly Sketch[], name: string): RouteTree {
  const ref = { kind: 'TrafficRoute' as const, namespace: 'shop', name };
  const rules = sketches.map(({ matches, children }, index): CompiledRule => {
    const origin = { ref, generation: 1, part: `r${String(index)}` };
    const rule: Rule = {
      origin,
      name: `r${String(index)}`,
      matches,
      backends: [],
      references: [],
      hosts: [],
      features: [],
    };
    return {
      ...{ index, matches, rule, written: [], unresolved: [], weakened: [] },
      ...(children.length === 0 ? {} : { delegate: ['*'] }),
    };
  });
  const route = { ref, generation: 1, created: '', protocol: 'HTTP' as const, hostnames: [], parents: [], rules };
  const below = sketches.flatMap(({ children }, index) =>
    children.map((child, nth) => ({ rule: `r${String(index)}`, tree: treeOf(child, `${name}-${index}-${nth}`) })),
  );
  return { route: { ...route, refused: [], dropped: [], failing: [] }, below };
}

/** The rule that answers, found by walking; what hands on answers what nobody below it does. */
function walked(trees: readonly RouteTree[], asked: Request): Rule | undefined {
  const entries = trees.flatMap((tree) =>
    tree.route.rules.flatMap((own) =>
      own.matches.map((one) => ({
        ...({
          match: one,
          rule: own.rule,
          created: '',
          object: `shop/${tree.route.ref.name}`,
          index: own.index,
        } satisfies RankedEntry),
        below: tree.below.filter(({ rule }) => rule === own.rule.name).map((branch) => branch.tree),
      })),
    ),
  );
  const first = inOrder(entries).find((entry) => meets(asked, entry.match));
  return first === undefined ? undefined : (walked(first.below, asked) ?? first.rule);
}

describe('delegation: any tree of rules', () => {
  it('is tried as it is walked', () => {
    fc.assert(
      fc.property(
        fc.array(sketchOf(2), { minLength: 1, maxLength: 3 }),
        fc.array(request, { minLength: 8 }),
        (sketch, asked) => {
          const trees = [treeOf(sketch, 'root')];
          const [host] = pool(trees).hosts;
          for (const one of asked) {
            const tried = host?.entries.find((entry) => meets(one, entry.match))?.rule;
            expect(tried?.origin, JSON.stringify(one)).to.equal(walked(trees, one)?.origin);
          }
        },
      ),
      { numRuns: 500, seed: 20_262 },
    );
  }).timeout(60_000);
});
