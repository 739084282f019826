// What one simulated Envoy has: a variant per name and type, compared all the time with the oracle.
import { ANY_CONTENT, type Catalog, type TypeCatalog } from './catalog.js';

/** The resources of one type that a client has. */
export interface TypeState {
  /** Variant id by name; 0 for absence. */
  variants: Int32Array;
  /** How many resources lead to this name, by name. */
  references: Int32Array;
  /** Names that equal the oracle, and names that should not be there. */
  right: number;
  extra: number;
}

/** All resources of a client, with the count of those that are referred to but missing. */
export interface ClientState {
  readonly types: readonly TypeState[];
}

/** Names that a change has begun or ceased to refer to, by type; emptied by whoever acts on it. */
export interface LinkChange {
  readonly added: number[];
  readonly dropped: number[];
}

/** Creates the state of a client that has nothing. */
export const createClientState = (catalog: Catalog): ClientState => ({
  types: catalog.map(() => ({ variants: new Int32Array(64), references: new Int32Array(64), right: 0, extra: 0 })),
});

/** Powers of two: clients that know the same names have arrays of the same length, whatever the order of arrival. */
const grown = (array: Int32Array, index: number): Int32Array => {
  if (index < array.length) return array;
  const larger = new Int32Array(2 ** Math.ceil(Math.log2(index + 1)));
  larger.set(array);
  return larger;
};

const contentOf = (type: TypeCatalog, variant: number): number => type.variants[variant]?.content ?? 0;

/** Whether a variant is what the oracle wants. */
const isRight = (type: TypeCatalog, name: number, variant: number): boolean => {
  const want = type.want[name] ?? 0;
  if (variant === 0 || want === 0) return false;
  return want === ANY_CONTENT || want === contentOf(type, variant);
};

const isExtra = (type: TypeCatalog, name: number, variant: number): boolean =>
  variant !== 0 && (type.want[name] ?? 0) === 0;

/** One name of one type of one client, to be counted in or out. */
export interface Counting {
  readonly entry: TypeCatalog;
  readonly state: TypeState;
  readonly name: number;
  readonly by: 1 | -1;
}

/** Counts one name for (`by` 1) or against (`by` -1) the client. Called around every change of state or oracle. */
export const count = ({ entry, state, name, by }: Counting): void => {
  const variant = state.variants[name] ?? 0;
  if (isRight(entry, name, variant)) state.right += by;
  else if (isExtra(entry, name, variant)) state.extra += by;
};

const NO_LINKS: readonly number[] = [];

/** Makes the client ask for a name that no resource leads to. */
export const refer = (target: TypeState, name: number): void => {
  target.references = grown(target.references, name);
  target.references[name] = (target.references[name] ?? 0) + 1;
};

const release = (target: TypeState, links: readonly number[], dropped: number[]): void => {
  for (const name of links) {
    const references = (target.references[name] ?? 0) - 1;
    target.references[name] = references;
    if (references === 0) dropped.push(name);
  }
};

const adopt = (target: TypeState, links: readonly number[], added: number[]): void => {
  for (const name of links) {
    refer(target, name);
    if (target.references[name] === 1) added.push(name);
  }
};

/** One assignment: `variant` 0 removes. */
export interface Assignment {
  readonly catalog: Catalog;
  readonly type: number;
  readonly name: number;
  readonly variant: number;
}

const linksOf = (type: TypeCatalog, variant: number): readonly number[] => type.variants[variant]?.links ?? NO_LINKS;

/** Assigns a variant and collects what links it brings or takes. */
export const assign = (client: ClientState, { catalog, type, name, variant }: Assignment, links: LinkChange): void => {
  const entry = catalog[type];
  const state = client.types[type];
  if (entry === undefined || state === undefined) return;
  state.variants = grown(state.variants, name);
  const before = state.variants[name] ?? 0;
  if (before === variant) return;
  count({ entry, state, name, by: -1 });
  state.variants[name] = variant;
  count({ entry, state, name, by: 1 });
  const target = client.types[entry.info.linksTo ?? -1];
  if (target === undefined) return;
  adopt(target, linksOf(entry, variant), links.added);
  release(target, linksOf(entry, before), links.dropped);
};

/** Whether the client has exactly what the oracle says. */
export const isComplete = (catalog: Catalog, client: ClientState): boolean =>
  client.types.every((state, i) => state.right === catalog[i]?.wanted && state.extra === 0);

/** The same answer without the running counts: compares every name anew. */
export const verify = (catalog: Catalog, client: ClientState): boolean =>
  catalog.every((type, i) =>
    type.names.every((_, name) => {
      const variant = client.types[i]?.variants[name] ?? 0;
      return (type.want[name] ?? 0) === 0 ? variant === 0 : isRight(type, name, variant);
    }),
  );
