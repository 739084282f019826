// The parser of schemas: defaults, bounds, unknown fields, hostile input.

import { expect } from 'chai';
import fc from 'fast-check';
import {
  bool,
  freeForm,
  integer,
  leaves,
  list,
  object,
  oneOf,
  openApi,
  parse,
  stringMap,
  text,
  type Static,
} from '../../../src/api/schema.js';

const schema = object(
  {
    name: text({ min: 1, max: 8, pattern: '^[a-z]+$' }, { doc: 'Name.', required: true }),
    kind: oneOf(['Service', 'Host'], { doc: 'Kind.', default: 'Service' }),
    weight: integer({ max: 10 }, { doc: 'Weight.', default: 1, envoy: 'weight', change: 'E' }),
    loud: bool({ doc: 'Loud.' }),
    codes: list(integer({ min: 400, max: 599 }, { doc: 'Code.' }), { max: 2 }, { doc: 'Codes.', default: [503] }),
    labels: stringMap({ max: 2 }, { doc: 'Labels.' }),
    items: list(
      object({ key: text({}, { doc: 'Key.', required: true }), value: text({}, { doc: 'Value.' }) }, { doc: 'Item.' }),
      { keys: ['key'], max: 3 },
      { doc: 'Items.' },
    ),
    free: freeForm(16, { doc: 'Anything.' }),
  },
  {
    doc: 'Root.',
    change: 'R',
    rules: [
      {
        id: 'X1',
        rule: 'self.weight < 9',
        messageExpression: `"\`weight\` '%d' must be below 9".format([self.weight])`,
      },
      {
        id: 'X2',
        rule: "!has(self.loud) || self.kind == 'Host'",
        message: '`loud` may only be set for Host',
        fieldPath: '.loud',
      },
      { id: 'X3', rule: 'oldSelf.name == self.name', message: '`name` is immutable' },
    ],
  },
);

type Root = Static<typeof schema>;

const messages = (value: unknown): readonly string[] => {
  const result = parse(schema, value, 'spec');
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
};

describe('parse', () => {
  it('applies defaults without touching its input', () => {
    const input = Object.freeze({ name: 'a' });
    const result = parse(schema, input, 'spec');
    const want: Root = { name: 'a', kind: 'Service', weight: 1, codes: [503] };
    expect(result).to.deep.equal({ ok: true, value: want });
    expect(input).to.deep.equal({ name: 'a' });
  });

  it('drops members that are null, as the API server does', () => {
    const result = parse(schema, { name: 'a', weight: null, loud: null }, 'spec');
    expect(result.ok && result.value).to.deep.equal({ name: 'a', kind: 'Service', weight: 1, codes: [503] });
    expect(messages({ name: null })).to.deep.equal(['spec.name: `spec.name` must be set']);
    expect(messages({ name: 'a', items: [null] })).to.deep.equal([
      'spec.items[0]: `spec.items[0]` must be an object, found null',
    ]);
  });

  it('collects every mistake with its path', () => {
    expect(
      messages({ name: 'A', kind: 'service', weight: 1.5, codes: [404, 9, 404], items: [{ value: 1 }], fre: {} }),
    ).to.deep.equal([
      "spec.name: `spec.name` must match '^[a-z]+$', found 'A'",
      "spec.kind: `spec.kind` must be one of 'Service', 'Host', found 'service'; did you mean 'Service'?",
      "spec.weight: `spec.weight` must be an integer, found number '1.5'",
      'spec.codes: `spec.codes` may not have more than 2 items, found 3',
      'spec.items[0].key: `spec.items[0].key` must be set',
      "spec.items[0].value: `spec.items[0].value` must be a string, found number '1'",
      "spec.fre: `spec.fre` is not a known field; did you mean 'free'?",
    ]);
  });

  it('counts code points, not code units', () => {
    const wide = object({ text: text({ max: 2 }, { doc: 'Text.' }) }, { doc: 'Root.' });
    expect(parse(wide, { text: '𝒳𝒴' }, '').ok).to.equal(true);
    expect(parse(wide, { text: '𝒳𝒴𝒵' }, '').ok).to.equal(false);
  });

  it('refuses repeated items of sets and keyed lists', () => {
    expect(messages({ name: 'a', codes: [404, 404] })).to.deep.equal([
      "spec.codes[1]: `spec.codes[1]` must not repeat an item of the list: '404' is used twice",
    ]);
    expect(messages({ name: 'a', items: [{ key: 'x' }, { key: 'x' }] })).to.deep.equal([
      "spec.items[1]: `spec.items[1]` must not repeat an item of the list: `key` 'x' is used twice",
    ]);
  });

  it('runs rules on the defaulted object, and only where its members are fine', () => {
    expect(messages({ name: 'a', weight: 9, loud: true })).to.deep.equal([
      "spec: `weight` '9' must be below 9",
      'spec.loud: `loud` may only be set for Host',
    ]);
    expect(messages({ name: 'a', weight: 90 })).to.deep.equal([
      "spec.weight: `spec.weight` must be between 0 and 10, found '90'",
    ]);
  });

  it('bounds free-form objects', () => {
    expect(messages({ name: 'a', free: { a: { b: [1] } } })).to.deep.equal([]);
    expect(messages({ name: 'a', free: { a: 'x'.repeat(16) } })).to.deep.equal([
      'spec.free: `spec.free` may not be larger than 16 bytes, found 24',
    ]);
  });

  it('survives hostile input', () => {
    const cyclic: Record<string, unknown> = { name: 'a' };
    cyclic['free'] = cyclic;
    cyclic['items'] = [cyclic];
    let deep: unknown = {};
    for (let depth = 0; depth < 100_000; depth += 1) deep = { free: deep };
    const proto: unknown = JSON.parse('{"name":"a","__proto__":{"kind":"Host"},"labels":{"__proto__":"x"}}');
    expect(messages(cyclic)).to.not.be.empty;
    expect(messages({ name: 'a', free: deep })).to.deep.equal([
      'spec.free: `spec.free` must be a finite object that can be written as JSON',
    ]);
    expect(messages(proto)).to.have.length(1);
    expect(messages(undefined)).to.deep.equal(['spec: `spec` must be set']);
    expect(messages(() => 1)).to.deep.equal(['spec: `spec` must be an object, found a function']);
  });

  it('never throws', () => {
    const members = fc.record(
      Object.fromEntries(
        Object.keys({ name: 0, kind: 0, weight: 0, loud: 0, codes: 0, labels: 0, items: 0, free: 0 }).map((key) => [
          key,
          fc.jsonValue(),
        ]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), members), (value) => {
        parse(schema, value, 'spec');
      }),
    );
  });
});

describe('openApi', () => {
  it('is structural', () => {
    const document = openApi(schema);
    expect(document).to.deep.include({ type: 'object', required: ['name'], description: 'Root.' });
    expect(document['properties']).to.deep.include({
      name: { description: 'Name.', type: 'string', minLength: 1, maxLength: 8, pattern: '^[a-z]+$' },
      kind: { description: 'Kind.', type: 'string', enum: ['Service', 'Host'], default: 'Service' },
      weight: { description: 'Weight.', type: 'integer', format: 'int64', minimum: 0, maximum: 10, default: 1 },
      labels: {
        description: 'Labels.',
        type: 'object',
        maxProperties: 2,
        additionalProperties: { type: 'string', maxLength: 256 },
      },
      free: { description: 'Anything.', type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    });
    expect(document['x-kubernetes-validations']).to.deep.include({
      rule: "!has(self.loud) || self.kind == 'Host'",
      message: '`loud` may only be set for Host',
      reason: 'FieldValueInvalid',
      fieldPath: '.loud',
    });
  });
});

describe('leaves', () => {
  it('counts members of lists once and inherits the class', () => {
    expect(leaves(schema).map(({ path, change }) => `${path} ${change}`)).to.deep.equal([
      'name R',
      'kind R',
      'weight E',
      'loud R',
      'codes R',
      'labels R',
      'items[].key R',
      'items[].value R',
      'free R',
    ]);
  });
});
