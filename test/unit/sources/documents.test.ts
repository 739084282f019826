import { expect } from 'chai';
import fc from 'fast-check';
import { systemClock } from '../../../src/lib/clock.js';
import { createDocumentReader, splitDocuments } from '../../../src/sources/documents.js';
import { locatePaths, readPiece, stepsOf } from '../../../src/sources/yaml-text.js';
import type { TextFinding } from '../../../src/sources/yaml-text.js';

const errors = (text: string): readonly TextFinding[] =>
  readPiece(text).findings.filter(({ severity }) => severity === 'error');

describe('sources/documents', () => {
  describe('splitting', () => {
    it('cuts at markers and keeps the lines', () => {
      const pieces = splitDocuments('a: 1\n---\nb: 2\n--- # c\n\nc: 3\n');
      expect(pieces?.map(({ line }) => line)).to.deep.equal([1, 2, 4]);
    });

    it('knows a marker from a longer word, and Windows line ends', () => {
      expect(splitDocuments('a: 1\n----\n')).to.have.length(1);
      expect(splitDocuments('a: 1\r\n---\r\nb: 2\r\n')).to.have.length(2);
    });

    it('loses no text', () => {
      const line = fc.constantFrom('---', 'a: 1', '', '--- b', ' ---', '# x');
      fc.assert(
        fc.property(fc.array(line), (lines) => {
          const text = lines.join('\n');
          const joined = splitDocuments(text)?.map((piece) => piece.text);
          const letters = (some: string): string => some.replace(/[\s-]/g, '');
          expect(letters(joined?.join('') ?? 'too many')).to.equal(letters(text));
        }),
      );
    });
  });

  describe('refuses, naming line and column', () => {
    const cases: readonly (readonly [string, string, RegExp, number])[] = [
      ['bad YAML', 'a: 1\nb: [1, 2\n', /flow/i, 3],
      ['a tab as indentation', 'a:\n\tb: 1\n', /tab/i, 2],
      ['a key given twice', 'a: 1\nb: 2\na: 3\n', /'a' is given twice/, 3],
      ['a merge key', 'a: &x {b: 1}\nc:\n  <<: *x\n', /merge keys/, 3],
      ['__proto__', 'a:\n  __proto__: {b: 1}\n', /__proto__/, 2],
      ['a key that is no string', '? [a]\n: 1\n', /key/, 1],
      ['deep nesting', `a: ${'['.repeat(80)}${']'.repeat(80)}\n`, /deeper than 64/, 1],
      [
        'more than 100 aliases',
        `a: &x 1\nb: [${Array.from({ length: 101 }, () => '*x').join(', ')}]\n`,
        /100 aliases/,
        2,
      ],
      ['an unknown alias', 'a: *x\n', /alias/i, 1],
    ];
    for (const [what, text, message, line] of cases) {
      it(what, () => {
        const [first] = errors(text);
        expect(first?.message).to.match(message);
        expect(first?.line).to.equal(line);
        expect(first?.column).to.be.at.least(1);
        expect(readPiece(text).objects).to.deep.equal([]);
      });
    }

    it('an alias bomb, at once', () => {
      const levels = Array.from({ length: 9 }, (_, nth) => {
        const item = nth === 0 ? 'lol' : `*l${String(nth - 1)}`;
        return `l${String(nth)}: &l${String(nth)} [${Array.from({ length: 9 }, () => item).join(', ')}]`;
      });
      const started = performance.now();
      expect(errors(levels.join('\n'))[0]?.message).to.match(/alias/i);
      expect(performance.now() - started).to.be.lessThan(200);
    });

    it('a directive', async () => {
      const reading = await createDocumentReader(systemClock).read({ text: '\n%YAML 1.1\n', line: 5 });
      expect(reading.findings[0]).to.include({ line: 6 });
      expect(reading.findings[0]?.message).to.contain('directives');
    });
  });

  it('refuses an object of too many fields, and too many documents', () => {
    const keys = Array.from({ length: 50_001 }, (_, nth) => `k${String(nth)}: 1`).join('\n');
    expect(errors(keys)[0]?.message).to.contain('50000 fields');
    expect(splitDocuments('---\n'.repeat(10_001))).to.equal(undefined);
  });

  it('accepts an alias, JSON, and 64 levels', () => {
    expect(readPiece('a: &x {b: 1}\nc: *x\n').objects[0]?.value).to.deep.equal({ a: { b: 1 }, c: { b: 1 } });
    expect(readPiece('{"a": [1, "yes", null]}').findings).to.deep.equal([]);
    expect(errors(`a: ${'['.repeat(62)}1${']'.repeat(62)}\n`)).to.deep.equal([]);
  });

  it('warns of words that kubectl takes for booleans, unless they are quoted', () => {
    const { objects, findings } = readPiece("a: yes\nb: 'no'\non: 1\nc: Off\nd: yesterday\n");
    expect(findings.map(({ severity, line }) => [severity, line])).to.deep.equal([
      ['warning', 1],
      ['warning', 3],
      ['warning', 4],
    ]);
    expect(objects[0]?.value).to.deep.equal({ a: 'yes', b: 'no', on: 1, c: 'Off', d: 'yesterday' });
  });

  it('unpacks lists, also typed ones, with the line of each item', () => {
    const list = 'apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n';
    const { objects } = readPiece(list);
    expect(objects.map(({ line, prefix }) => [line, prefix])).to.deep.equal([
      [4, 'items[0]'],
      [5, 'items[1]'],
    ]);
    expect(objects[0]?.value).to.deep.equal({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } });
  });

  describe('locating', () => {
    const text =
      'metadata:\n  labels:\n    a.b/c: x\nspec:\n  rules:\n  - name: one\n  - matches:\n    - path:\n        value: /x\n';
    const cases: readonly (readonly [string, number])[] = [
      ['spec.rules[1].matches[0].path.value', 9],
      ['spec.rules[1].matches[0].path.type', 8],
      ['spec.rules[0]', 6],
      ['spec.rules[7].name', 5],
      ['metadata.labels[a.b/c]', 3],
      ['status', 1],
      ['', 1],
    ];
    for (const [path, line] of cases) {
      it(`finds ${path === '' ? 'the whole' : path}, or what is nearest to it`, () => {
        expect(locatePaths(text, [path])[0]?.line).to.equal(line);
      });
    }

    it('takes paths apart', () => {
      expect(stepsOf('a.b[0].c["d.e"][\'f\'][g/h.i]')).to.deep.equal(['a', 'b', '0', 'c', 'd.e', 'f', 'g/h.i']);
    });
  });

  it('never throws', () => {
    const word = fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '  ',
      '[',
      ']',
      '{',
      '}',
      '&x ',
      '*x',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!!',
      '?',
      '\t',
      '<<',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const text = words.join('');
        expect(() => readPiece(text)).not.to.throw();
        expect(() => locatePaths(text, ['a.b[0]'])).not.to.throw();
      }),
      { numRuns: 500 },
    );
  });

  it('reads large and hostile pieces without stalling the loop', async () => {
    const reader = createDocumentReader(systemClock);
    const pieces = [
      Array.from({ length: 3000 }, (_, nth) => `k${String(nth)}: {a: 1, b: [1, 2]}`).join('\n'),
      '['.repeat(8000),
      '\n'.repeat(200_000) + 'a: 1',
    ];
    const before = { all: process.cpuUsage(), loop: process.threadCpuUsage() };
    try {
      const [wide, deep, empty] = await Promise.all(pieces.map((text) => reader.read({ text, line: 1 })));
      expect(Object.keys(wide?.objects[0]?.value ?? {})).to.have.length(3000);
      expect(deep?.findings[0]?.severity).to.equal('error');
      expect(empty?.objects[0]?.value).to.deep.equal({ a: 1 });
    } finally {
      await reader.close();
    }
    // Work, not time: how long the loop waits for a core is not ours.
    const [all, loop] = [process.cpuUsage(before.all), process.threadCpuUsage(before.loop)];
    expect(loop.user / all.user).to.be.lessThan(0.5);
  }).timeout(20_000);
});
