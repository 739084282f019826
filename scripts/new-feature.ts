// Starts a feature: its file, golden case, page, example and change fragment, and a line wherever it is listed. What it
// leaves compiles and passes all checks; the field is refused with UnsupportedValue until the feature is written.
// Usage: npm run new-feature -- NAME [--in rule|upstream]

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { features } from '../src/features/index.js';
import { fieldOf, filesOf, namesOf, type Names } from './new-feature-files.js';

const root = join(import.meta.dirname, '..');

/** The command cannot be done; nothing was written. */
class Refusal extends Error {}

type Change = (text: string) => string;

/** `line` after the place that `anchor` matches. */
const after =
  (anchor: RegExp, line: string): Change =>
  (text) => {
    const found = anchor.exec(text);
    if (found === null) throw new Refusal(`found no ${String(anchor)}: the script is older than the code`);
    const end = found.index + found[0].length;
    return text.slice(0, end) + line + text.slice(end);
  };

const lastImport = /^(?:import[^;]*;\n)+/m;

const imported = (name: string, from: string): Change => after(lastImport, `import { ${name} } from '${from}';\n`);

const both =
  (first: Change, second: Change): Change =>
  (text) =>
    second(first(text));

/** Changes of files that list features, by path. */
function changesOf(names: Names): ReadonlyMap<string, Change> {
  const { key, slug, holder } = names;
  const list = holder === 'rule' ? 'ruleFeatures' : 'upstreamFeatures';
  const schema = `${key}Schema`;
  const member = `${key}: ${schema},\n`;
  const unsupported = holder === 'rule' ? 'trafficRoute' : 'meshPolicy';
  const field = holder === 'rule' ? `rules[].${key}` : `upstream.${key}`;
  const written = holder === 'rule' ? `\`${key}\`` : '`upstream` of a MeshPolicy';
  const shared: readonly (readonly [string, Change])[] = [
    [
      'src/features/index.ts',
      both(
        imported(key, `./${slug}.js`),
        after(new RegExp(`export const ${list} = \\[[^\\]]*?(?=,?\\s*\\] as const)`), `, ${key}`),
      ),
    ],
    [
      'src/kinds/unsupported.ts',
      after(
        new RegExp(`const ${unsupported}: readonly Unsupported\\[\\] = \\[\n`),
        `  ...fields(['${field}'], 'leave it out'),\n`,
      ),
    ],
    [
      'docs/policies/README.md',
      after(/\| feature \| page \|.*\n(?:\|.*\n)+/, `| ${key} | [${slug}.md](${slug}.md) | ${written} |\n`),
    ],
  ];
  if (holder === 'rule')
    return new Map([
      ...shared,
      [
        'src/kinds/route-rule.ts',
        both(imported(schema, `../features/${slug}.js`), after(/retry: retrySchema,\n/, member)),
      ],
    ]);
  return new Map([
    ...shared,
    [
      'src/features/upstream.ts',
      both(imported(schema, `./${slug}.js`), after(/retryBudget: retryBudgetSchema,\n/, member)),
    ],
    ['src/kinds/mesh-policy-rules.ts', after(/const upstreamNotOnRoutes = \[\n/, `  '${key}',\n`)],
  ]);
}

function namesFrom(argv: readonly string[]): Names {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { in: { type: 'string', default: 'upstream' } },
  });
  const [slug = ''] = positionals;
  const holder = values.in;
  if (positionals.length !== 1 || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(slug))
    throw new Refusal('usage: npm run new-feature -- NAME [--in rule|upstream], NAME such as slow-start');
  if (holder !== 'rule' && holder !== 'upstream') throw new Refusal(`--in is 'rule' or 'upstream', not '${holder}'`);
  const names = namesOf(slug, holder);
  if (features.some(({ key }) => key === names.key)) throw new Refusal(`there is a feature '${names.key}' already`);
  return names;
}

/** The next free number of a change. */
function nextFragment(): number {
  const numbers = readdirSync(join(root, 'changes/unreleased')).map((name) => Number(name.slice(0, 4)));
  return Math.max(0, ...numbers.filter((number) => Number.isInteger(number))) + 1;
}

function run(program: string, ...args: readonly string[]): void {
  const path = program.includes('/') ? join(root, program) : join(root, 'node_modules/.bin', program);
  const env = { ...process.env, UPDATE_GOLDEN: '1' };
  const { status, stdout, stderr } = spawnSync(path, args, { cwd: root, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

const nextSteps = (names: Names): readonly string[] => [
  `next, for \`${fieldOf(names)}\`:`,
  `  1. src/features/${names.slug}.ts: the schema, compile, and the hook; then remove its line of src/kinds/unsupported.ts`,
  '  2. test/unit/kinds/kinds.test.ts counts the fields of each kind: raise its budget by yours',
  `  3. test/golden/cases/${names.slug}: UPDATE_GOLDEN=1 make golden, and read the difference`,
  '  4. test/e2e: a row of rows.ts, a test in which requests show it, and one in which it is wrong',
  `  5. docs/policies/${names.slug}.md, its example, and the line in changes/unreleased`,
  '  6. make generate check',
];

function main(): void {
  const names = namesFrom(process.argv.slice(2));
  const created = filesOf(names, nextFragment());
  const taken = [...created.keys()].filter((path) => existsSync(join(root, path)));
  if (taken.length > 0) throw new Refusal(`there is already: ${taken.join(', ')}`);
  const changed = [...changesOf(names)].map(
    ([path, change]) => [path, change(readFileSync(join(root, path), 'utf8'))] as const,
  );
  for (const [path, text] of [...created, ...changed]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`${created.has(path) ? 'new    ' : 'changed'} ${path}`);
  }
  run('prettier', '--write', '--log-level', 'warn', ...[...created.keys(), ...changed.map(([path]) => path)]);
  run('scripts/generate-all.sh');
  run('mocha', 'test/golden/runner.test.ts', '--timeout', '60000', '--fgrep', `golden ${names.slug} `);
  for (const line of nextSteps(names)) console.log(line);
}

try {
  main();
} catch (thrown) {
  if (!(thrown instanceof Refusal)) throw thrown;
  console.error(thrown.message);
  process.exitCode = 2;
}
