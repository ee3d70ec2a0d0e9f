/**
 * Streams four texts through the markdown renderer in Chromium and prints the main
 * thread's milliseconds, as JSON and as a table.
 *
 *   node bench/markdown.mjs            CHROMIUM=/path/to/chromium to choose the browser
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const browser = process.env.CHROMIUM ?? "chromium";
const folder = mkdtempSync(join(tmpdir(), "streamchat-bench-"));

try {
  const bundle = buildSync({
    entryPoints: [join(here, "page.ts")],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    write: false,
  });
  const styles = buildSync({
    entryPoints: [join(here, "../src/styles.css")],
    bundle: true,
    write: false,
  }).outputFiles[0].text;
  const page = join(folder, "bench.html");
  const script = bundle.outputFiles[0].text.replaceAll("</script", "<\\/script");
  writeFileSync(
    page,
    `<!doctype html><meta charset="utf-8"><style>${styles}</style>` +
      `<body><div class="streamchat" style="width:720px;height:700px"></div><script>${script}</script>`,
  );
  const dom = execFileSync(
    browser,
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      `--user-data-dir=${join(folder, "profile")}`,
      "--dump-dom",
      `file://${page}`,
    ],
    {
      encoding: "utf-8",
      timeout: 120_000,
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const found = /data-results="([^"]*)"/.exec(dom);
  if (found === null) throw new Error(`No result from ${browser}.`);
  const results = JSON.parse(found[1].replaceAll("&quot;", '"'));
  console.log(JSON.stringify({ node: process.version, browser, results }, null, 2));
  console.table(results);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
