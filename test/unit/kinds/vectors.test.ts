// Runs every object of test/vectors through our parser. The same files can be given to an API server: the
// messages of rules are its own, word for word.

import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ObjectMeta } from '../../../src/api/meta.js';
import { isUserKind, parseUserObject, updateProblems, userKinds, type UserObject } from '../../../src/kinds/index.js';
import { isRecord } from '../../../src/lib/record.js';
import type { Problem } from '../../../src/lib/result.js';

const vectors = join(import.meta.dirname, '../../vectors');

interface Vector {
  readonly file: string;
  readonly documents: readonly Record<string, unknown>[];
  readonly want: readonly string[];
}

/** Later versions of a rule may be added to a folder that holds vectors of other kinds, too. */
function vectorsOf(folder: string): readonly Vector[] {
  return readdirSync(join(vectors, folder))
    .filter((file) => userKinds.some((kind) => file.startsWith(`${kind.toLowerCase()}-`)))
    .map((file) => {
      const text = readFileSync(join(vectors, folder, file), 'utf8');
      const documents: readonly unknown[] = [...parseAllDocuments(text)].map((document): unknown => document.toJSON());
      const want = [...text.matchAll(/^# want: (.*)$/gm)].map(([, line]) => line ?? '');
      return { file, documents: documents.filter(isRecord), want };
    });
}

const metaOf = (document: Record<string, unknown>): ObjectMeta => {
  const metadata = isRecord(document['metadata']) ? document['metadata'] : {};
  const text = (name: string): string => (typeof metadata[name] === 'string' ? metadata[name] : 'default');
  return { name: text('name'), namespace: text('namespace'), labels: {}, annotations: {}, generation: 1 };
};

function read(document: Record<string, unknown>): { problems: readonly Problem[]; object?: UserObject } {
  const kind = String(document['kind']);
  if (!isUserKind(kind)) throw new Error(`unknown kind ${kind}`);
  const result = parseUserObject(kind, document, metaOf(document));
  return result.ok ? { problems: [], object: result.value } : { problems: result.error };
}

/** A file with two documents is an update: the first one is stored, the second one replaces it. */
function problemsOf(vector: Vector): readonly Problem[] {
  const readings = vector.documents.map(read);
  const problems = readings.flatMap((reading) => reading.problems);
  const [old, next] = readings.map((reading) => reading.object);
  return [...problems, ...(old === undefined || next === undefined ? [] : updateProblems(old, next))];
}

const lines = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ path, message }) => `${path}: ${message}`);

describe('vectors', () => {
  for (const vector of vectorsOf('valid')) {
    it(`takes ${vector.file}`, () => {
      expect(vector.documents).not.to.be.empty;
      expect(lines(problemsOf(vector))).to.deep.equal([]);
    });
  }

  for (const vector of vectorsOf('invalid')) {
    it(`refuses ${vector.file}`, () => {
      expect(vector.want).not.to.be.empty;
      expect([...lines(problemsOf(vector))].sort()).to.deep.equal([...vector.want].sort());
    });
  }

  it('has a violation of every rule', () => {
    const names = readdirSync(join(vectors, 'invalid')).join('\n');
    const numbered = (prefix: string, count: number): readonly string[] =>
      Array.from({ length: count }, (_, index) => `${prefix}${index + 1}-`);
    const wanted = [
      ...numbered('trafficroute-tr', 17),
      ...numbered('meshpolicy-mp', 16),
      ...numbered('meshidentity-mi', 10),
    ];
    expect(wanted.filter((name) => !names.includes(name))).to.deep.equal([]);
  });
});
