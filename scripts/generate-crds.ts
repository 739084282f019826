// Writes what follows from the kinds: CRDs, JSON Schemas for editors and the tables of docs/reference.
// `--check` writes nothing and fails where a file differs.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { group, version } from '../src/api/meta.js';
import { leaves, openApi, type OpenApi } from '../src/api/schema.js';
import { kinds, userKinds, type KindInfo, type PrinterColumn } from '../src/kinds/index.js';
import { isRecord } from '../src/lib/record.js';
import { conditionsPage, referencePage } from './reference-pages.js';

const text = (description: string): OpenApi => ({ type: 'string', description });

function rootSchema(info: KindInfo): OpenApi {
  return {
    type: 'object',
    description: `${info.kind}: ${info.question}`,
    required: ['spec'],
    properties: {
      apiVersion: text('Version of the schema of this object.'),
      kind: text('Kind of this object.'),
      metadata: { type: 'object' },
      spec: openApi(info.spec),
      status: { ...openApi(info.status), default: info.statusDefault },
    },
  };
}

const column = (of: PrinterColumn): OpenApi => ({
  name: of.name,
  type: of.type,
  jsonPath: of.jsonPath,
  ...(of.wide === true ? { priority: 1 } : {}),
});

/** The CustomResourceDefinition of a kind. */
function customResourceDefinition(info: KindInfo): OpenApi {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${info.plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'legation', ...info.labels },
    },
    spec: {
      group,
      names: {
        kind: info.kind,
        listKind: `${info.kind}List`,
        plural: info.plural,
        singular: info.singular,
        shortNames: [info.shortName],
        categories: info.categories,
      },
      scope: info.scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: info.columns.map(column),
          selectableFields: info.selectableFields.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: rootSchema(info) },
        },
      ],
    },
  };
}

/** Structural OpenAPI as JSON Schema: closed objects, no Kubernetes words. */
function jsonSchema(schema: unknown): unknown {
  if (!isRecord(schema)) return schema;
  const { properties, items, additionalProperties, ...rest } = schema;
  const plain = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !key.startsWith('x-kubernetes-') && key !== 'format'),
  );
  const members = isRecord(properties)
    ? Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, jsonSchema(member)]))
    : undefined;
  return {
    ...plain,
    ...(members === undefined ? {} : { properties: members, additionalProperties: false }),
    ...(items === undefined ? {} : { items: jsonSchema(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: jsonSchema(additionalProperties) }),
  };
}

function editorSchema(info: KindInfo): unknown {
  const { properties, ...rest } = rootSchema(info);
  const members = isRecord(properties) ? properties : {};
  const schema = jsonSchema({ ...rest, properties: { ...members, metadata: { type: 'object' } } });
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...(isRecord(schema) ? schema : {}) };
}

const header = '# Generated from src/kinds by `make generate`. Do not edit.\n';

/** Every generated file and its content. */
function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const name of userKinds) {
    const info = kinds[name];
    const crd = stringify(customResourceDefinition(info), { lineWidth: 0, aliasDuplicateObjects: false });
    files.set(`config/crd/${info.plural}.${group}.yaml`, header + crd);
    files.set(`config/jsonschema/${info.singular}_${version}.json`, `${JSON.stringify(editorSchema(info), null, 1)}\n`);
    files.set(`docs/reference/${info.singular}.md`, referencePage(info, leaves(info.spec)));
  }
  files.set('docs/reference/conditions.md', conditionsPage());
  return files;
}

function current(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Missing is a difference like any other.
    return undefined;
  }
}

function firstDifference(want: string, found: string | undefined): string {
  if (found === undefined) return 'is missing';
  const wanted = want.split('\n');
  const line = wanted.findIndex((text, index) => found.split('\n')[index] !== text);
  return `differs from line ${line < 0 ? wanted.length : line + 1}`;
}

function main(): void {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const root = join(import.meta.dirname, '..');
  const stale: string[] = [];
  for (const [path, content] of generatedFiles()) {
    const target = join(root, path);
    const found = current(target);
    if (found === content) continue;
    stale.push(`${path} ${firstDifference(content, found)}`);
    if (values.check) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
  if (!values.check || stale.length === 0) return;
  process.stderr.write(`${stale.join('\n')}\nrun \`make generate\` and commit the result\n`);
  process.exitCode = 1;
}

main();
