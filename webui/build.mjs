// Builds the dashboard: node build.mjs [--outdir DIR]
// Scripts and styles get names with a hash of their content, so they may be cached for
// ever; every text file gets a .gz beside it; budgets (kB after gzip) are held here.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const at = process.argv.indexOf("--outdir");
const out = at > 0 ? process.argv[at + 1] : "../build/webui";
const BUDGET_KB = { js: 60, css: 15 };

const result = await build({
  entryPoints: ["src/main.tsx", "src/style.css"],
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  outdir: out,
  entryNames: "[name]-[hash]",
  legalComments: "none",
  charset: "utf8",
  write: false,
});

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const sizes = { js: 0, css: 0 };
const names = {};

async function emit(name, bytes) {
  const zipped = gzipSync(bytes, { level: 9 });
  await writeFile(join(out, name), bytes);
  await writeFile(join(out, `${name}.gz`), zipped);
  const kind = name.split(".").pop();
  if (kind in sizes) sizes[kind] += zipped.length;
  return zipped.length;
}

for (const file of result.outputFiles) {
  const name = file.path.split("/").pop();
  names[name.endsWith(".css") ? "style" : "script"] = name;
  await emit(name, file.contents);
}

const icon = await readFile("src/icon.svg");
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
await emit(iconName, icon);

const page = (await readFile("src/index.html", "utf8"))
  .replaceAll("{{style}}", names.style)
  .replaceAll("{{script}}", names.script)
  .replaceAll("{{icon}}", iconName);
await emit("index.html", Buffer.from(page));

for (const [kind, bytes] of Object.entries(sizes)) {
  const kb = bytes / 1000;
  console.log(`${kind} ${kb.toFixed(1)} kB after gzip, budget ${BUDGET_KB[kind]} kB`);
  if (kb > BUDGET_KB[kind]) {
    console.error(`the ${kind} budget is exceeded`);
    process.exitCode = 1;
  }
}
