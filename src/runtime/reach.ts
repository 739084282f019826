// How many proxies hold which revision, in all and by namespace of callers. A few numbers, whatever the number
// of proxies and objects.

/** Where proxies stand; `undefined` stands for all of them. */
export interface Reaches {
  /** A proxy of a namespace moves from one revision to another; undefined: it comes or goes. */
  move(namespace: string, from: number | undefined, to: number | undefined): void;
  total(namespace: string | undefined): number;
  atLeast(namespace: string | undefined, revision: number): number;
  /** Whether there is a proxy, and none is behind. */
  allAtLeast(namespace: string | undefined, revision: number): boolean;
}

type Counts = Map<number, number>;

function add(counts: Counts, revision: number | undefined, by: number): void {
  if (revision === undefined) return;
  const count = (counts.get(revision) ?? 0) + by;
  if (count === 0) counts.delete(revision);
  else counts.set(revision, count);
}

function sum(counts: Counts | undefined, from: number): number {
  let total = 0;
  for (const [revision, count] of counts ?? []) if (revision >= from) total += count;
  return total;
}

/** Nobody anywhere. */
export function createReaches(): Reaches {
  const all: Counts = new Map();
  const byNamespace = new Map<string, Counts>();

  const countsOf = (namespace: string): Counts => {
    const counts = byNamespace.get(namespace) ?? new Map<number, number>();
    byNamespace.set(namespace, counts);
    return counts;
  };
  const of = (namespace: string | undefined): Counts | undefined =>
    namespace === undefined ? all : byNamespace.get(namespace);

  return {
    move: (namespace, from, to) => {
      for (const counts of [all, countsOf(namespace)]) {
        add(counts, from, -1);
        add(counts, to, 1);
      }
    },
    total: (namespace) => sum(of(namespace), -Infinity),
    atLeast: (namespace, revision) => sum(of(namespace), revision),
    allAtLeast: (namespace, revision) => {
      const counts = of(namespace);
      for (const held of counts?.keys() ?? []) if (held < revision) return false;
      return (counts?.size ?? 0) > 0;
    },
  };
}
