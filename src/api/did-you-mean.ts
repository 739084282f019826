// Finds the name that somebody probably meant. Knows nothing of schemas.

function distance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

/** The candidate closest to `found`, if it is close enough to be a slip of the pen. */
export function closest(found: string, candidates: readonly string[]): string | undefined {
  if (found.length === 0 || found.length > 64) return undefined;
  const lower = found.toLowerCase();
  const limit = Math.max(1, Math.floor(found.length / 3));
  let best: { name: string; distance: number } | undefined;
  for (const name of candidates) {
    const far = distance(lower, name.toLowerCase());
    if (far <= limit && (best === undefined || far < best.distance)) best = { name, distance: far };
  }
  return best?.name;
}

/** `; did you mean 'x'?`, or nothing. */
export function didYouMean(found: string, candidates: readonly string[]): string {
  const name = closest(found, candidates);
  return name === undefined ? '' : `; did you mean '${name}'?`;
}
