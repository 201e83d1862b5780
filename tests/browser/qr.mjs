// Reads the dashboard's QR codes as a camera would, but for the error correction: ISO/IEC 18004,
// versions 1 to 9, byte mode. Written from the standard, apart from what draws them.

/** The dark modules of the picture, without its light rim. */
export function modulesOf(viewBox, path) {
  const n = Number(viewBox.split(" ")[2]) - 8;
  const grid = Array.from({ length: n }, () => new Array(n).fill(0));
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)) grid[y - 4][x - 4] = 1;
  return grid;
}

/** Is there a pattern of the code itself, and not a bit of the text? */
function isFrame(version, n, y, x) {
  if (y === 6 || x === 6 || (y < 9 && (x < 9 || x >= n - 8)) || (y >= n - 8 && x < 9)) return true;
  if (version >= 7 && ((y < 6 && x >= n - 11) || (x < 6 && y >= n - 11))) return true;
  const last = n - 7;
  const centres = version === 1 ? [] : version < 7 ? [6, last] : [6, (last + 6) / 2, last];
  const near = (a) => centres.find((c) => Math.abs(c - a) <= 2);
  const [cy, cx] = [near(y), near(x)];
  if (cy === undefined || cx === undefined) return false;
  return !((cy === 6 && (cx === 6 || cx === last)) || (cy === last && cx === 6));
}

const TURNED = [
  (y, x) => (y + x) % 2 === 0, (y) => y % 2 === 0, (y, x) => x % 3 === 0, (y, x) => (y + x) % 3 === 0,
  (y, x) => ((y >> 1) + Math.floor(x / 3)) % 2 === 0, (y, x) => ((y * x) % 2) + ((y * x) % 3) === 0,
  (y, x) => (((y * x) % 2) + ((y * x) % 3)) % 2 === 0, (y, x) => (((y + x) % 2) + ((y * x) % 3)) % 2 === 0,
];

export function textOf(grid) {
  const n = grid.length;
  const version = (n - 17) / 4;
  const format = [0, 1, 2, 3, 4, 5, 7, 8].map((x) => grid[8][x]).concat([7, 5, 4, 3, 2, 1, 0].map((y) => grid[y][8]));
  const word = format.reduce((a, b) => (a << 1) | b, 0) ^ 0x5412;
  if (word >> 13 !== 1) throw new Error(`level ${word >> 13}, not L`);
  const isTurned = TURNED[(word >> 10) & 7];
  const bits = [];
  for (let right = n - 1, isUp = true; right > 0; right -= right === 8 ? 3 : 2, isUp = !isUp)
    for (let i = 0; i < n; i++)
      for (const x of [right, right - 1]) {
        const y = isUp ? n - 1 - i : i;
        if (!isFrame(version, n, y, x)) bits.push(grid[y][x] ^ Number(isTurned(y, x)));
      }
  const words = Array.from({ length: bits.length >> 3 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8).join(""), 2));
  // Two blocks from version 6 on: their words stand in turns.
  const blocks = version < 6 ? 1 : 2;
  const each = [19, 34, 55, 80, 108, 68, 78, 97, 116][version - 1];
  const data = [];
  for (let b = 0; b < blocks; b++) for (let i = 0; i < each; i++) data.push(words[i * blocks + b]);
  const stream = data.map((w) => w.toString(2).padStart(8, "0")).join("");
  if (!stream.startsWith("0100")) throw new Error(`mode ${stream.slice(0, 4)}`);
  const length = parseInt(stream.slice(4, 12), 2);
  const bytes = Array.from({ length }, (_, i) => parseInt(stream.slice(12 + i * 8, 20 + i * 8), 2));
  return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
}
