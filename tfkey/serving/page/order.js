// An order to play songs in: a short path round the Camelot wheel.

import { keyIndex, steps } from "./keys.js";

/**
 * Put songs into an order whose neighbours are in near keys.
 *
 * Songs in one key follow each other, because the distance is a metric and is zero within a key. That
 * leaves a path through at most 24 keys: the nearest neighbour from every start, each improved by 2-opt,
 * and the shortest of them. Equal lengths are decided by the order of the keys round the wheel, so that
 * the same songs always give the same order. Songs without a key come last.
 *
 * @param {{key: string|null, name: string}[]} songs
 * @returns {{key: string|null, name: string}[]}
 */
export function playingOrder(songs) {
  const byKey = new Map();
  const keyless = [];
  for (const song of [...songs].sort(byName)) {
    if (song.key === null) {
      keyless.push(song);
    } else {
      const index = keyIndex(song.key);
      if (!byKey.has(index)) byKey.set(index, []);
      byKey.get(index).push(song);
    }
  }
  const path = shortestPath([...byKey.keys()].sort((a, b) => a - b));
  return [...path.flatMap((key) => byKey.get(key)), ...keyless];
}

/** The length of a path: the steps between neighbours, added up. */
export function pathLength(keys) {
  return keys.slice(1).reduce((sum, key, i) => sum + steps(keys[i], key), 0);
}

function shortestPath(keys) {
  let best = keys;
  let least = Infinity;
  for (const start of keys) {
    const path = improve(nearestNeighbours(start, keys));
    const length = pathLength(path);
    if (length < least) [best, least] = [path, length];
  }
  return best;
}

function nearestNeighbours(start, keys) {
  const path = [start];
  const left = new Set(keys);
  left.delete(start);
  while (left.size) {
    const last = path[path.length - 1];
    let nearest = null;
    for (const key of left) {
      if (nearest === null || steps(last, key) < steps(last, nearest)) nearest = key;
    }
    path.push(nearest);
    left.delete(nearest);
  }
  return path;
}

/** Reverse stretches of an open path for as long as that makes it shorter (2-opt). */
function improve(path) {
  for (let improved = true; improved; ) {
    improved = false;
    for (let i = 0; i < path.length - 1; i++) {
      for (let j = i + 1; j < path.length; j++) {
        const before = (i > 0 ? steps(path[i - 1], path[i]) : 0)
          + (j + 1 < path.length ? steps(path[j], path[j + 1]) : 0);
        const after = (i > 0 ? steps(path[i - 1], path[j]) : 0)
          + (j + 1 < path.length ? steps(path[i], path[j + 1]) : 0);
        if (after < before) {
          path = [...path.slice(0, i), ...path.slice(i, j + 1).reverse(), ...path.slice(j + 1)];
          improved = true;
        }
      }
    }
  }
  return path;
}

function byName(a, b) {
  return a.name.localeCompare(b.name, "en", { numeric: true }) || (a.path ?? "").localeCompare(b.path ?? "", "en");
}
