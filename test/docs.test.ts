// The documents as a test: links lead somewhere, every feature has its page, every example can be read, the index of
// decision records is whole, and the README names make targets that exist.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { features } from '../src/features/index.js';
import { readFolder } from '../src/sources/files.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', '.tools', 'gen', 'cases']);

function filesUnder(folder: string, ending: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesUnder(path, ending);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

const read = (...path: readonly string[]): string => readFileSync(join(root, ...path), 'utf8');

/** Without code, in which brackets are no links. */
const prose = (text: string): string => text.replace(/^( *)```[\s\S]*?^\1```/gm, '').replace(/`[^`\n]*`/g, '');

/** Headings as the anchors that a link can name. */
const anchorsOf = (text: string): readonly string[] =>
  Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

function brokenLinks(file: string): readonly string[] {
  const links = Array.from(
    prose(readFileSync(file, 'utf8')).matchAll(/\]\(([^()\s]+)\)/g),
    ([, target = '']) => target,
  );
  return links
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const full = path === '' ? file : join(dirname(file), path);
      if (!existsSync(full)) return true;
      return anchor !== undefined && full.endsWith('.md') && !anchorsOf(readFileSync(full, 'utf8')).includes(anchor);
    })
    .map((target) => `${relative(root, file)} → ${target}`);
}

/** Folders that are a mesh: they hold YAML themselves. */
const examples = [...new Set(filesUnder(join(root, 'examples'), '.yaml').map((file) => relative(root, dirname(file))))];

const makeTargets = new Set(Array.from(read('Makefile').matchAll(/^([a-z-]+):/gm), ([, name]) => name));

describe('documents', () => {
  it('relative links lead to files and headings', () => {
    expect(filesUnder(root, '.md').flatMap(brokenLinks)).to.deep.equal([]);
  });

  for (const { key } of features) {
    it(`policy page of '${key}'`, () => {
      const row = new RegExp(String.raw`^\| ${key} \| \[[^\]]+\]\(([^)]+)\)`, 'm').exec(
        read('docs', 'policies', 'README.md'),
      );
      expect(row, `docs/policies/README.md must have a row for '${key}'`).not.to.equal(null);
      const page = row?.[1] ?? '';
      expect(read('docs', 'policies', page), `docs/policies/${page} must show it`).to.match(new RegExp(key, 'i'));
      expect(examples).to.include(`examples/policies/${page.replace(/\.md$/, '')}`);
    });
  }

  it('policy pages are in the index, and short', () => {
    const pages = readdirSync(join(root, 'docs', 'policies')).filter((name) => name !== 'README.md');
    const index = read('docs', 'policies', 'README.md');
    expect(pages.filter((page) => !index.includes(`(${page})`))).to.deep.equal([]);
    expect(pages.filter((page) => read('docs', 'policies', page).split('\n').length > 61)).to.deep.equal([]);
  });

  for (const folder of examples) {
    it(`${folder} can be read`, async () => {
      const { diagnostics } = await readFolder([join(root, folder)]);
      expect(diagnostics).to.deep.equal([]);
    });
  }

  it('decision records are numbered without a gap, indexed, and say when to think again', () => {
    const records = readdirSync(join(root, 'docs', 'adr'))
      .filter((name) => name !== 'README.md')
      .sort();
    const index = read('docs', 'adr', 'README.md');
    expect(records.map((name) => Number(name.slice(0, 4)))).to.deep.equal(records.map((_, at) => at + 1));
    expect(records.filter((name) => !index.includes(`(${name})`))).to.deep.equal([]);
    const sections = ['## Context', '## Decision', '## Turned down', '## When we would change our mind'];
    const incomplete = records.filter((name) =>
      sections.some((section) => !read('docs', 'adr', name).includes(section)),
    );
    expect(incomplete).to.deep.equal([]);
  });

  for (const file of ['README.md', 'CONTRIBUTING.md', 'docs/getting-started.md']) {
    it(`make targets that ${file} names exist`, () => {
      const code = Array.from(read(file).matchAll(/(?:^|`)make ([a-z-]+)/gm), ([, name]) => name);
      expect(code.filter((name) => !makeTargets.has(name))).to.deep.equal([]);
    });
  }

  it('change fragments are named as changes/README.md says', () => {
    const names = readdirSync(join(root, 'changes', 'unreleased'));
    expect(names.filter((name) => !/^\d{4}-[a-z0-9-]+\.(feature|fix|breaking|security)\.md$/.test(name))).to.deep.equal(
      [],
    );
  });
});
