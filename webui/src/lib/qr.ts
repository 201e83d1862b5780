// A QR code (ISO/IEC 18004) of a short text: byte mode, level L, versions 1 to 9, which is up to
// 230 bytes. Rows of booleans, true is dark; null where the text is too long.

/** Of each version: error correction codewords a block, blocks, data codewords a block. */
const SIZES: [ec: number, blocks: number, data: number][] = [
  [7, 1, 19], [10, 1, 34], [15, 1, 55], [20, 1, 80], [26, 1, 108],
  [18, 2, 68], [20, 2, 78], [24, 2, 97], [30, 2, 116],
];
/** Centres of the alignment patterns of versions 7 to 9; below it is 6 and the last. */
const CENTRES: Record<number, number[]> = { 7: [6, 22, 38], 8: [6, 24, 42], 9: [6, 26, 46] };

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = x & 128 ? (x << 1) ^ 0x11d : x << 1;
}

/** Reed-Solomon: the remainder of data by the generator of that degree. */
function remainder(data: number[], degree: number): number[] {
  let generator = [1];
  for (let i = 0; i < degree; i++) {
    const next = [...generator, 0];
    generator.forEach((g, j) => (next[j + 1]! ^= g && EXP[LOG[g]! + i]!));
    generator = next;
  }
  const rest = [...data, ...new Array<number>(degree).fill(0)];
  for (let i = 0; i < data.length; i++) {
    const lead = rest[i]!;
    if (lead) generator.forEach((g, j) => (rest[i + j]! ^= EXP[LOG[lead]! + LOG[g]!]!));
  }
  return rest.slice(data.length);
}

/** value followed by the remainder of its division, `bits` long. */
function checked(value: number, generator: number, bits: number): number {
  let rest = value << bits;
  for (let i = 31; i >= bits; i--) if ((rest >>> i) & 1) rest ^= generator << (i - bits);
  return (value << bits) | rest;
}

function codewords(bytes: Uint8Array, version: number): number[] {
  const [ec, blocks, size] = SIZES[version - 1]!;
  const bits: number[] = [];
  const put = (value: number, n: number) => {
    for (let i = n - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4);
  put(bytes.length, 8);
  bytes.forEach((b) => put(b, 8));
  put(0, Math.min(4, blocks * size * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data: number[] = [];
  for (let i = 0; i < bits.length; i += 8) data.push(bits.slice(i, i + 8).reduce((a, b) => (a << 1) | b, 0));
  for (let pad = 0xec; data.length < blocks * size; pad ^= 0xec ^ 0x11) data.push(pad);
  const parts = Array.from({ length: blocks }, (_, b) => data.slice(b * size, (b + 1) * size));
  const checks = parts.map((p) => remainder(p, ec));
  const woven = (of: number[][], n: number) => Array.from({ length: n }, (_, i) => of.map((p) => p[i]!)).flat();
  return [...woven(parts, size), ...woven(checks, ec)];
}

const MASKS: ((y: number, x: number) => boolean)[] = [
  (y, x) => (y + x) % 2 === 0,
  (y) => y % 2 === 0,
  (_, x) => x % 3 === 0,
  (y, x) => (y + x) % 3 === 0,
  (y, x) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (y, x) => ((y * x) % 2) + ((y * x) % 3) === 0,
  (y, x) => (((y * x) % 2) + ((y * x) % 3)) % 2 === 0,
  (y, x) => (((y + x) % 2) + ((y * x) % 3)) % 2 === 0,
];

type Grid = (boolean | undefined)[][];

/** All that does not depend on the text; undefined is where the text goes. */
function frame(version: number): Grid {
  const n = 17 + 4 * version;
  const grid: Grid = Array.from({ length: n }, () => new Array<boolean | undefined>(n).fill(undefined));
  const ring = (cy: number, cx: number, size: number, isDark: (d: number) => boolean) => {
    for (let y = cy - size; y <= cy + size; y++)
      for (let x = cx - size; x <= cx + size; x++)
        if (grid[y] && x >= 0 && x < n) grid[y]![x] = isDark(Math.max(Math.abs(y - cy), Math.abs(x - cx)));
  };
  const centres = version === 1 ? [] : (CENTRES[version] ?? [6, 10 + 4 * version]);
  const end = centres.length - 1;
  centres.forEach((y, i) =>
    centres.forEach((x, j) => {
      const isFinder = (i === 0 && j === 0) || (i === 0 && j === end) || (i === end && j === 0);
      if (!isFinder) ring(y, x, 2, (d) => d !== 1);
    }),
  );
  for (const [y, x] of [[3, 3], [3, n - 4], [n - 4, 3]]) ring(y!, x!, 4, (d) => d !== 2 && d !== 4);
  for (let i = 8; i < n - 8; i++) grid[6]![i] = grid[i]![6] = i % 2 === 0;
  // Kept for format and version, which are written when the mask is known.
  for (let i = 0; i < 9; i++) grid[8]![i] ??= grid[i]![8] ??= false;
  for (let i = n - 8; i < n; i++) grid[8]![i] = grid[i]![8] = i === n - 8;
  if (version >= 7) {
    const word = checked(version, 0x1f25, 12);
    for (let i = 0; i < 18; i++) {
      const bit = ((word >> i) & 1) === 1;
      grid[Math.floor(i / 3)]![n - 11 + (i % 3)] = grid[n - 11 + (i % 3)]![Math.floor(i / 3)] = bit;
    }
  }
  return grid;
}

function putFormat(grid: Grid, mask: number): void {
  const n = grid.length;
  const word = checked((1 << 3) | mask, 0x537, 10) ^ 0x5412; // level L is 01
  const bit = (i: number) => ((word >> i) & 1) === 1;
  for (let i = 0; i < 15; i++) {
    if (i < 6) grid[i]![8] = bit(i);
    else if (i < 8) grid[i + 1]![8] = bit(i);
    else grid[n - 15 + i]![8] = bit(i);
    if (i < 8) grid[8]![n - 1 - i] = bit(i);
    else if (i < 9) grid[8]![7] = bit(i);
    else grid[8]![14 - i] = bit(i);
  }
  grid[n - 8]![8] = true;
}

/** How hard it is to read: long runs, blocks, patterns like a finder, too dark or too light. */
function penalty(grid: Grid): number {
  const n = grid.length;
  let sum = 0;
  let dark = 0;
  const finder = /(?=10111010000|00001011101)/g;
  for (let i = 0; i < n; i++) {
    for (const line of [grid[i]!, grid.map((row) => row[i])]) {
      const text = line.map((c) => (c ? "1" : "0")).join("");
      for (const run of text.match(/1{5,}|0{5,}/g) ?? []) sum += run.length - 2;
      sum += 40 * (text.match(finder)?.length ?? 0);
    }
    for (let j = 0; j < n; j++) {
      if (grid[i]![j]) dark++;
      const c = grid[i]![j];
      if (i && j && c === grid[i - 1]![j] && c === grid[i]![j - 1] && c === grid[i - 1]![j - 1]) sum += 3;
    }
  }
  return sum + 10 * Math.floor(Math.abs((dark * 100) / (n * n) - 50) / 5);
}

export function qrOf(text: string): boolean[][] | null {
  const bytes = new TextEncoder().encode(text);
  const version = SIZES.findIndex(([, blocks, size]) => bytes.length + 2 <= blocks * size) + 1;
  if (!version) return null;
  const base = frame(version);
  const words = codewords(bytes, version);
  const n = base.length;
  let best: Grid = base;
  let least = Infinity;
  MASKS.forEach((isTurned, mask) => {
    const grid = base.map((row) => [...row]);
    let at = 0;
    for (let right = n - 1, up = true; right > 0; right -= 2, up = !up) {
      if (right === 6) right--; // the column of the timing pattern
      for (let i = 0; i < n; i++) {
        const y = up ? n - 1 - i : i;
        for (const x of [right, right - 1]) {
          if (base[y]![x] !== undefined) continue;
          const isDark = ((words[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
          at++;
          grid[y]![x] = (isDark === 1) !== isTurned(y, x);
        }
      }
    }
    putFormat(grid, mask);
    const p = penalty(grid);
    if (p < least) [best, least] = [grid, p];
  });
  return best.map((row) => row.map((c) => c === true));
}
