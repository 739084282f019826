// The shape of the source tree as a test: which room may import which, who may use which package, how long a file may be.
// Reads import lines only; a folder that is not there yet breaks no rule.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

interface Import {
  readonly from: string;
  /** A path relative to src for our own files, else the package as written. */
  readonly to: string;
  readonly own: boolean;
  readonly typeOnly: boolean;
}

const importLine = /^\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const dynamicImport = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function filesUnder(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(folder, path));
}

function importsOf(path: string): readonly Import[] {
  const text = readFileSync(path, 'utf8');
  const from = relative(join(root, 'src'), path);
  const toImport = (target: string, typeOnly: boolean): Import => {
    const own = target.startsWith('.');
    const resolved = relative(join(root, 'src'), join(dirname(path), target)).replace(/\.js$/, '.ts');
    return { from, to: own ? resolved : target, own, typeOnly };
  };
  return [
    ...Array.from(text.matchAll(importLine), (match) => toImport(match[3] ?? '', match[2] !== undefined)),
    ...Array.from(text.matchAll(dynamicImport), (match) => toImport(match[1] ?? '', false)),
  ];
}

const sources = filesUnder(join(root, 'src')).filter((path) => !path.startsWith(join(root, 'src', 'gen')));
const imports = sources.flatMap(importsOf);
const ownImports = imports.filter((line) => line.own);
const packageImports = imports.filter((line) => !line.own);

const roomOf = (path: string): string => path.split('/')[0] ?? '';
const inRoom = (room: string, file?: RegExp): ((line: Import) => boolean) => {
  return (line) => roomOf(line.from) === room && (file === undefined || file.test(line.from));
};

/** lib ← api ← features ← kinds, model ← sources, ca, reconcilers ← xds ← kube, webhook ← runtime ← sandbox ← cli */
const layers: readonly (readonly string[])[] = [
  ['lib'],
  ['api'],
  ['features'],
  ['kinds', 'model'],
  ['sources', 'ca', 'reconcilers'],
  ['xds'],
  ['kube', 'webhook'],
  ['runtime'],
  ['sandbox'],
  ['cli'],
];
const layerOf = (room: string): number => layers.findIndex((layer) => layer.includes(room));

function isLeftward(line: Import): boolean {
  const [from, to] = [roomOf(line.from), roomOf(line.to)];
  return from === to || to === 'gen' || layerOf(to) < layerOf(from);
}

interface Clause {
  readonly text: string;
  readonly breaks: (line: Import) => boolean;
}

const wireFiles = /^xds\/(stream|server|cache|snapshot)\.ts$/;
const reaches = (line: Import, rooms: readonly string[]): boolean => rooms.includes(roomOf(line.to));

const clauses: readonly Clause[] = [
  {
    text: 'A room may import only rooms to its left: lib ← api ← features ← kinds, model ← sources, ca, reconcilers ← xds ← kube, webhook ← runtime ← sandbox ← cli.',
    breaks: (line) => !isLeftward(line),
  },
  {
    text: 'gen ← features, xds (nothing else imports gen).',
    breaks: (line) => roomOf(line.to) === 'gen' && !['features', 'xds'].includes(roomOf(line.from)),
  },
  {
    text: '`reconcilers` may not import `xds`, `kube`, `sources` or `gen`.',
    breaks: (line) => inRoom('reconcilers')(line) && reaches(line, ['xds', 'kube', 'sources', 'gen']),
  },
  {
    text: '`xds` may not import `kinds`, `reconcilers`, `sources`, `ca` or `kube`.',
    breaks: (line) => inRoom('xds')(line) && reaches(line, ['kinds', 'reconcilers', 'sources', 'ca', 'kube']),
  },
  {
    text: '`stream`, `server`, `cache` and `snapshot` may import nothing of `model` but `delivery.ts`.',
    breaks: (line) => wireFiles.test(line.from) && reaches(line, ['model']) && line.to !== 'model/delivery.ts',
  },
  {
    text: '`model` mentions no Envoy type and no CRD type (it may not import `kinds`).',
    breaks: (line) => inRoom('model')(line) && reaches(line, ['kinds', 'gen']),
  },
  {
    text: '`model` may name `FeatureConfigs` (a type), and nothing else of `features`.',
    breaks: (line) => inRoom('model')(line) && reaches(line, ['features']) && !line.typeOnly,
  },
  {
    text: '`webhook` may import `xds/bootstrap.ts` only, among `xds`.',
    breaks: (line) => inRoom('webhook')(line) && reaches(line, ['xds']) && line.to !== 'xds/bootstrap.ts',
  },
  {
    text: '`features` sees small context types declared in `feature.ts`, never the model.',
    breaks: (line) => inRoom('features')(line) && reaches(line, ['model', 'kinds']),
  },
];

interface Fence {
  readonly packages: RegExp;
  readonly allowed: RegExp;
  readonly text: string;
}

const fences: readonly Fence[] = [
  { packages: /^@kubernetes\/client-node/, allowed: /^kube\//, text: 'client-node only in kube/' },
  { packages: /^winston/, allowed: /^runtime\/logging\.ts$/, text: 'winston only in runtime/logging.ts' },
  { packages: /^@grpc\//, allowed: /^xds\/grpc-transport\.ts$/, text: 'grpc-js only in xds/grpc-transport.ts' },
  {
    packages: /^(node:)?http2$/,
    allowed: /^(xds\/http2-(transport|call)|sandbox\/echo-server)\.ts$/,
    text: 'node:http2 only in the transport, xds/http2-*.ts, and in the echo application of the sandbox',
  },
  {
    packages: /^(@peculiar\/|node-forge|reflect-metadata)/,
    allowed: /^ca\/x509\.ts$/,
    text: 'the certificate library only in ca/x509.ts',
  },
  {
    packages: /^yaml$/,
    allowed: /^(sources\/(files|yaml-text)\.ts|cli\/.*)$/,
    text: '`yaml` only where sources reads files, and in cli/',
  },
];

/** Entry files of child processes that the sandbox starts: each is a program of its own. */
const programs = /^sandbox\/.*-main\.ts$/;
const mayUseProcess = (path: string): boolean =>
  path === 'cli/main.ts' || path === 'runtime/config.ts' || programs.test(path);

const show = (lines: readonly Import[]): readonly string[] => lines.map((line) => `${line.from} imports ${line.to}`);

describe('architecture', () => {
  for (const { text, breaks } of clauses) {
    it(text, () => {
      expect(show(ownImports.filter(breaks)), `broken clause: ${text}`).to.deep.equal([]);
    });
  }

  for (const { packages, allowed, text } of fences) {
    it(`third-party fence: ${text}`, () => {
      const broken = packageImports.filter((line) => packages.test(line.to) && !allowed.test(line.from));
      expect(show(broken), `broken fence: ${text}`).to.deep.equal([]);
    });
  }

  it('every folder of src is a room', () => {
    const strays = sources.map((path) => relative(join(root, 'src'), path)).filter((path) => layerOf(roomOf(path)) < 0);
    expect(strays, 'files outside of the rooms of docs/architecture.md').to.deep.equal([]);
  });

  it('`process.*` only in cli/main.ts, runtime/config.ts and the sandbox’s child programs', () => {
    const users = sources
      .filter((path) => /(^|[^.\w'"`-])process\.\w|from 'node:process'/m.test(withoutComments(path)))
      .map((path) => relative(join(root, 'src'), path))
      .filter((path) => !mayUseProcess(path));
    expect(users, 'pass what is needed of `process` in from cli/main.ts').to.deep.equal([]);
  });

  it('no import cycles', () => {
    expect(findCycle(), 'types may be imported in a circle, values may not').to.equal(undefined);
  });

  it('no file over 400 lines', () => {
    const own = [...sources, ...['test', 'scripts', 'bench'].flatMap((folder) => filesUnder(join(root, folder)))];
    const long = own.filter((path) => !path.includes('node_modules') && lineCount(path) > 400);
    expect(
      long.map((path) => relative(root, path)),
      'split by what the parts are for',
    ).to.deep.equal([]);
  });

  it('at most 15 direct runtime packages, 160 in the whole tree', () => {
    const { direct, whole } = runtimePackages();
    expect(direct.length, `direct runtime packages: ${direct.join(', ')}`).to.be.at.most(15);
    expect(whole, 'runtime packages in the whole tree').to.be.at.most(160);
  });
});

function withoutComments(path: string): string {
  return readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');
}

function lineCount(path: string): number {
  return readFileSync(path, 'utf8').trimEnd().split('\n').length;
}

function findCycle(): string | undefined {
  const next = new Map<string, string[]>();
  for (const line of ownImports.filter((item) => !item.typeOnly)) {
    next.set(line.from, [...(next.get(line.from) ?? []), line.to]);
  }
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file].join(' → ');
    if (done.has(file)) return undefined;
    for (const target of next.get(file) ?? []) {
      const cycle = visit(target, [...trail, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly dependencies?: Readonly<Record<string, string>> }>
  >;
}

function runtimePackages(): { readonly direct: readonly string[]; readonly whole: number } {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const direct = Object.keys(lock.packages['']?.dependencies ?? {});
  const whole = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.dev !== true);
  return { direct, whole: whole.length };
}
