// The data that a schema is made of: nodes with bounds, defaults, rules and documentation. Parser,
// CRD generator and docs generator walk it. Knows no concrete field and no kind.

/** What an edit of a field costs on live traffic; `-` is the control plane only. */
export type ChangeClass = string;

/** A CEL rule in the core dialect; the server and the offline parser evaluate the same text. */
export interface Rule {
  /** Public name such as `TR1`; rules that bounds imply carry the name of the field. */
  readonly id: string;
  readonly rule: string;
  readonly message?: string;
  /** CEL as well; wins over `message`. */
  readonly messageExpression?: string;
  /** Leads further down from the node that carries the rule, such as `.trustDomain`. */
  readonly fieldPath?: string;
}

/** What every field says about itself. */
export interface FieldOptions<T> {
  /** One line: `kubectl explain` and the reference print it. */
  readonly doc: string;
  readonly required?: true;
  /** Stored by the API server when nothing was written. */
  readonly default?: T;
  /** Computed default, for documentation only. */
  readonly effective?: string;
  /** Inherited by members that say nothing. */
  readonly change?: ChangeClass;
  /** Where the value ends up in Envoy. */
  readonly envoy?: string;
  readonly rules?: readonly Rule[];
}

/** A string with its bounds. */
export interface StringNode extends FieldOptions<unknown> {
  readonly type: 'string';
  readonly values?: readonly string[];
  readonly pattern?: string;
  readonly format?: 'date-time';
  readonly minLength: number;
  readonly maxLength: number;
}

/** An integer with its bounds. */
export interface IntegerNode extends FieldOptions<unknown> {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
}

/** True or false. */
export interface BooleanNode extends FieldOptions<unknown> {
  readonly type: 'boolean';
}

/** How the API server merges and compares a list. */
export type ListType = 'atomic' | 'set' | 'map';

/** A list with its bounds. */
export interface ListNode extends FieldOptions<unknown> {
  readonly type: 'list';
  readonly items: Node;
  readonly minItems: number;
  readonly maxItems: number;
  readonly listType: ListType;
  /** Members that identify an item of a `map` list. */
  readonly keys: readonly string[];
}

/** A map of string to string. */
export interface MapNode extends FieldOptions<unknown> {
  readonly type: 'map';
  readonly values: StringNode;
  readonly minProperties: number;
  readonly maxProperties: number;
}

/** An object with known members; unknown ones are errors. */
export interface ObjectNode extends FieldOptions<unknown> {
  readonly type: 'object';
  readonly members: Readonly<Record<string, Node>>;
}

/** A free-form object, opaque to rules and bounds of the server. */
export interface FreeNode extends FieldOptions<unknown> {
  readonly type: 'free';
  readonly maxBytes: number;
}

export type Node = StringNode | IntegerNode | BooleanNode | ListNode | MapNode | ObjectNode | FreeNode;

/** Whether a member is there after defaults were applied. */
export type Presence = 'always' | 'maybe';

/** The presence that follows from a field's options. */
export type PresenceOf<O> = O extends { readonly required: true } | { readonly default: unknown } ? 'always' : 'maybe';

declare const staticType: unique symbol;
declare const staticPresence: unique symbol;

/** A node that knows the type of its values after defaults. The two symbols exist for the compiler alone. */
export interface Schema<T, P extends Presence = Presence> {
  readonly node: Node;
  readonly [staticType]?: T;
  readonly [staticPresence]?: P;
}

/** The type that a schema describes, after defaults, deeply readonly. */
export type Static<S> = S extends { readonly [staticType]?: infer T } ? T : never;

/** Members of an object schema. */
export type Members = Readonly<Record<string, Schema<unknown>>>;

type AlwaysKeys<M extends Members> = {
  [K in keyof M]: M[K] extends { readonly [staticPresence]?: 'always' } ? K : never;
}[keyof M];

type Flat<T> = { readonly [K in keyof T]: T[K] };

/** The static type of an object with these members. */
export type ObjectOf<M extends Members> = Flat<
  { readonly [K in AlwaysKeys<M>]: Static<M[K]> } & {
    readonly [K in Exclude<keyof M, AlwaysKeys<M>>]?: Static<M[K]>;
  }
>;
