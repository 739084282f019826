// Valid objects with one thing spoilt: reading never throws, every refusal names its field, and neighbours are served as
// if the object were not there.

import fc from 'fast-check';
import { expect } from 'chai';
import type { ObjectRef } from '../../src/api/meta.js';
import type { Problem } from '../../src/lib/result.js';
import { readObject } from '../../src/sources/parse-object.js';
import { createCompiler, seenOf } from './compile.js';
import { mutants, type Mutant } from './mutants.js';
import { patienceMs, progress, runs, seed } from './options.js';
import type { Raw } from './objects.js';

const neighbours: readonly Raw[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'shop', labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
  },
  {
    apiVersion: 'legation.dev/v1alpha1',
    kind: 'TrafficRoute',
    metadata: { name: 'neighbour', namespace: 'shop' },
    spec: { parentRefs: [{ name: 'web' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
  },
];

/** What is wrong with a refusal itself. */
function unclear(problems: readonly Problem[], said: string): readonly string[] {
  const field =
    problems[0]?.path
      .split('.')
      .at(-1)
      ?.replaceAll(/\[\d+\]/g, '') ?? '';
  return [
    ...problems.flatMap(({ path, message, reason }) =>
      path === '' || reason === '' || message === '' ? [`no path or no reason: ${message}`] : [],
    ),
    ...(said.includes(field) || said.includes('`') ? [] : [`${field} is not named in: ${said}`]),
    ...(said.length > 1000 ? [`${field}: ${String(said.length)} characters in one message`] : []),
  ];
}

function problemsOf(mutant: Mutant): readonly Problem[] {
  const reading = readObject(mutant.raw, { folder: true });
  if (reading.kind === 'refused') return reading.problems;
  return reading.kind === 'object' && !reading.parsed.ok ? reading.parsed.malformed.problems : [];
}

const alone = seenOf(createCompiler()(neighbours, 'redirect'));

/** What is said of a spoilt object, and what is seen of its neighbours. */
function beside(raw: Raw): { readonly said: string; readonly neighbours: readonly string[] } {
  const compilation = createCompiler()([...neighbours, raw], 'redirect');
  const isNeighbour = ({ ref }: { readonly ref: ObjectRef }): boolean => ref.name === 'neighbour';
  return {
    said: compilation.findings.find((finding) => !isNeighbour(finding))?.message ?? '',
    neighbours: seenOf({ ...compilation, findings: compilation.findings.filter(isNeighbour) }),
  };
}

describe('fuzz: objects with one thing spoilt', () => {
  it(`are refused by name, and nobody else is (${String(runs)} runs, SEED=${String(seed)})`, function () {
    this.timeout(patienceMs);
    let refused = 0;
    for (let done = 0; done < runs; done += 500) {
      const numRuns = Math.min(500, runs - done);
      for (const mutant of fc.sample(mutants, { seed: seed + done / 500, numRuns })) {
        const problems = problemsOf(mutant);
        if (problems.length === 0) continue;
        refused += 1;
        const kind = String(mutant.original['kind']);
        const place = `${kind} with ${mutant.what} (SEED=${String(seed + done / 500)})`;
        const seen = beside(mutant.raw as Raw);
        // What cannot say who it is has no status: its problems are all that is said.
        const said = seen.said === '' ? problems.map(({ message }) => message).join('\n') : seen.said;
        expect(unclear(problems, said).slice(0, 5), place).to.deep.equal([]);
        expect(seen.neighbours, place).to.deep.equal(alone);
      }
      progress(`${String(done + numRuns)} of ${String(runs)} spoilt objects, ${String(refused)} refused`);
    }
    expect(refused / runs, 'share of mutants that are refused').to.be.greaterThan(0.3);
  });
});
