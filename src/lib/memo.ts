// Functions computed once for each combination of argument identities. The arguments are the only input,
// so there is no cache key to get wrong; results live as long as their arguments.

interface Node<R> {
  next?: WeakMap<object, Node<R>>;
  result?: { readonly value: R };
}

/**
 * `compute`, remembered by the identity of its arguments. Looks them up from the last to the first: a subject comes first by
 * custom and what it is seen with comes after it, so that a thousand subjects share one table instead of having one each.
 */
export function memoised<Args extends readonly [object, ...object[]], R>(
  compute: (...args: Args) => R,
): (...args: Args) => R {
  const root: Node<R> = {};
  const arity = compute.length;
  return (...args) => {
    let node = root;
    // What `map` and its kin pass besides the item is no argument.
    for (let index = arity - 1; index >= 0; index--) {
      const argument = args[index] ?? root;
      node.next ??= new WeakMap();
      let next = node.next.get(argument);
      if (next === undefined) node.next.set(argument, (next = {}));
      node = next;
    }
    node.result ??= { value: compute(...args) };
    return node.result.value;
  };
}

/** As `memoised`, for one subject and a list of any length: remembers the last list of each subject. */
export function memoisedList<Subject extends object, Item, R>(
  compute: (subject: Subject, items: readonly Item[]) => R,
): (subject: Subject, items: readonly Item[]) => R {
  const last = new WeakMap<Subject, { readonly items: readonly Item[]; readonly value: R }>();
  return (subject, items) => {
    const known = last.get(subject);
    if (known?.items.length === items.length && items.every((item, index) => item === known.items[index]))
      return known.value;
    const value = compute(subject, items);
    last.set(subject, { items, value });
    return value;
  };
}

/** As `memoised`, for one subject and a text. */
export function memoisedByKey<Subject extends object, R>(
  compute: (subject: Subject, key: string) => R,
): (subject: Subject, key: string) => R {
  const results = new WeakMap<Subject, Map<string, { readonly value: R }>>();
  return (subject, key) => {
    let ofSubject = results.get(subject);
    if (ofSubject === undefined) {
      ofSubject = new Map();
      results.set(subject, ofSubject);
    }
    let known = ofSubject.get(key);
    if (known === undefined) ofSubject.set(key, (known = { value: compute(subject, key) }));
    return known.value;
  };
}

interface ListNode<T> {
  readonly next: WeakMap<object, ListNode<T>>;
  list?: readonly T[];
}

/** A function that returns one list for equal items in equal order, so that lists can be arguments of a memo. */
export function listInterner<T extends object>(): (items: readonly T[]) => readonly T[] {
  const root: ListNode<T> = { next: new WeakMap() };
  return (items) => {
    let node = root;
    for (const item of items) {
      let next = node.next.get(item);
      if (next === undefined) node.next.set(item, (next = { next: new WeakMap() }));
      node = next;
    }
    return (node.list ??= items);
  };
}

/**
 * `compute`, with its last few calls remembered: for what many ask for in a row and nobody later. Nothing lives as long as
 * its arguments, which may be numbers and texts, and a call that is remembered allocates nothing.
 */
export function lately<A extends object, B, C, R>(
  calls: number,
  compute: (first: A, second: B, third: C) => R,
): (first: A, second: B, third: C) => R {
  const known: { readonly first: A; readonly second: B; readonly third: C; readonly result: R }[] = [];
  let oldest = 0;
  return (first, second, third) => {
    for (const call of known) {
      if (call.first === first && call.second === second && call.third === third) return call.result;
    }
    const result = compute(first, second, third);
    known[oldest++ % calls] = { first, second, third, result };
    return result;
  };
}
