// Builders of schemas: one value gives the static type, the parser, the OpenAPI of the CRD and the docs
// table. Knows no concrete field; the aliases shared by all kinds are in `fields.ts`.

import type {
  FieldOptions,
  ListType,
  Members,
  Node,
  ObjectOf,
  Presence,
  PresenceOf,
  Schema,
  Static,
  StringNode,
} from './schema-node.js';

export { leaves, openApi } from './schema-crd.js';
export type { Leaf, OpenApi } from './schema-crd.js';
export type { FieldOptions, Node, Rule, Schema, Static } from './schema-node.js';
export { parse, transitionProblems } from './schema-parse.js';

/** Bounds of a string. */
export interface TextBounds {
  readonly min?: number;
  /** 253 where nothing is said. */
  readonly max?: number;
  readonly pattern?: string;
  readonly format?: 'date-time';
}

/** Bounds of an integer. */
export interface IntegerBounds {
  /** 0 where nothing is said. */
  readonly min?: number;
  readonly max?: number;
}

/** Bounds and list type of a list. */
export interface ListBounds {
  readonly min?: number;
  /** 16 where nothing is said. */
  readonly max?: number;
  /** `set` for scalars where nothing is said. */
  readonly type?: ListType;
  readonly keys?: readonly string[];
}

const maxInteger = 2_147_483_647;

const stringNode = (bounds: TextBounds, options: FieldOptions<unknown>): StringNode => ({
  ...options,
  type: 'string',
  minLength: bounds.min ?? 0,
  maxLength: bounds.max ?? 253,
  ...(bounds.pattern === undefined ? {} : { pattern: bounds.pattern }),
  ...(bounds.format === undefined ? {} : { format: bounds.format }),
});

/** A string. */
export const text = <const O extends FieldOptions<string>>(
  bounds: TextBounds,
  options: O,
): Schema<string, PresenceOf<O>> => ({ node: stringNode(bounds, options) });

/** One of a closed list of strings. */
export const oneOf = <const V extends string, const O extends FieldOptions<NoInfer<V>>>(
  values: readonly V[],
  options: O,
): Schema<V, PresenceOf<O>> => ({ node: { ...stringNode({}, options), values } });

/** An integer. */
export const integer = <const O extends FieldOptions<number>>(
  bounds: IntegerBounds,
  options: O,
): Schema<number, PresenceOf<O>> => ({
  node: { ...options, type: 'integer', minimum: bounds.min ?? 0, maximum: bounds.max ?? maxInteger },
});

/** True or false. */
export const bool = <const O extends FieldOptions<boolean>>(options: O): Schema<boolean, PresenceOf<O>> => ({
  node: { ...options, type: 'boolean' },
});

/** One of a closed list of integers cannot be said in fewer words than a range and a rule. */
const isScalar = (node: Node): boolean => node.type !== 'object' && node.type !== 'list' && node.type !== 'free';

const defaultMax = (items: Node): number =>
  items.type === 'string' && items.values !== undefined ? items.values.length : 16;

/** A list. */
export function list<S extends Schema<unknown>, const O extends FieldOptions<readonly Static<S>[]>>(
  items: S,
  bounds: ListBounds,
  options: O,
): Schema<readonly Static<S>[], PresenceOf<O>> {
  const { node } = items;
  return {
    node: {
      ...options,
      type: 'list',
      items: node,
      minItems: bounds.min ?? 0,
      maxItems: bounds.max ?? defaultMax(node),
      listType: bounds.type ?? (bounds.keys !== undefined ? 'map' : isScalar(node) ? 'set' : 'atomic'),
      keys: bounds.keys ?? [],
    },
  };
}

/** A map of string to string. */
export const stringMap = <const O extends FieldOptions<Readonly<Record<string, string>>>>(
  bounds: { readonly values?: TextBounds; readonly min?: number; readonly max?: number },
  options: O,
): Schema<Readonly<Record<string, string>>, PresenceOf<O>> => ({
  node: {
    ...options,
    type: 'map',
    values: stringNode({ max: 256, ...bounds.values }, { doc: '' }),
    minProperties: bounds.min ?? 0,
    maxProperties: bounds.max ?? 16,
  },
});

/** An object with known members. */
export const object = <const M extends Members, const O extends FieldOptions<ObjectOf<M>>>(
  members: M,
  options: O,
): Schema<ObjectOf<M>, PresenceOf<O>> => ({
  node: {
    ...options,
    type: 'object',
    members: Object.fromEntries(Object.entries(members).map(([name, member]) => [name, member.node])),
  },
});

/** A free-form object. */
export const freeForm = <const O extends FieldOptions<Readonly<Record<string, unknown>>>>(
  maxBytes: number,
  options: O,
): Schema<Readonly<Record<string, unknown>>, PresenceOf<O>> => ({ node: { ...options, type: 'free', maxBytes } });

/** The same schema with other words: for shapes that several fields share. */
export const described = <T, P extends Presence>(
  schema: Schema<T, P>,
  change: Pick<FieldOptions<unknown>, 'doc' | 'envoy' | 'change'>,
): Schema<T, P> => ({ node: { ...schema.node, ...change } });
