/**
 * Bundles the chat into the package's static folder.
 *
 *   widget.js     the notebook widget; travels with every widget, so it is bounded
 *   cell.js       the chat in a cell with its looks, fetched by the first widget
 *   page.js       the full page
 *   lab.js        what JupyterLab's extension shows
 *   extras.js     what no first answer needs, fetched when it is first shown
 *   panel.js      the settings and the check, fetched when somebody opens them
 *   conversations.js   the list of conversations, fetched when somebody opens it
 *   timing.js     where an answer's time went, fetched when somebody asks
 *   language_de.js   the words in German, fetched where the chat speaks it
 *   math.js       formulas, fetched when one is first shown
 *   highlight.js  colours for code, fetched when code is first shown
 *   widget.css    the looks of the page and of JupyterLab's panel
 *   THIRD_PARTY_LICENSES.txt   licences of everything that was bundled
 */

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, "../streamchat_nb/widget/static");

/** What travels with each widget and a saved notebook carries; what the first fetches. */
const BYTES_LIMITS = { "widget.js": 15_000, "cell.js": 250_000 };

const entries = {
  widget: join(here, "src/widget.ts"),
  cell: join(here, "src/cell.ts"),
  page: join(here, "src/page.ts"),
  lab: join(here, "src/lab.ts"),
  highlight: join(here, "src/highlight.ts"),
  math: join(here, "src/math.ts"),
  extras: join(here, "src/extras.ts"),
  panel: join(here, "src/panel.ts"),
  conversations: join(here, "src/conversations.ts"),
  timing: join(here, "src/timing.ts"),
  language_de: join(here, "src/language_de.ts"),
};

/** The folder of the package that a bundled file belongs to, or null for our own. */
function packageFolderOf(file) {
  const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(
    file.replaceAll("\\", "/"),
  );
  return found === null ? null : found[1];
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(
    readFileSync(join(here, folder, "package.json"), "utf-8"),
  );
  const file = readdirSync(join(here, folder)).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) {
    throw new Error(
      `${name} ${version} ships no licence text: it must not be bundled.`,
    );
  }
  const text = readFileSync(join(here, folder, file), "utf-8").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}

function writeLicences(inputs) {
  const folders = new Set(inputs.map(packageFolderOf).filter((one) => one !== null));
  const texts = [...folders].sort().map(licenceOf);
  const head = "Licences of the packages that are part of the files in this folder.\n";
  writeFileSync(
    join(output, "THIRD_PARTY_LICENSES.txt"),
    [head, ...texts].join(`\n${"-".repeat(72)}\n\n`),
  );
}

function checkSizes(outputs) {
  for (const [file, { bytes }] of Object.entries(outputs)) {
    const name = relative(output, join(here, file));
    console.log(`${name.padEnd(16)} ${(bytes / 1000).toFixed(1)} kB`);
    const limit = BYTES_LIMITS[name] ?? Number.POSITIVE_INFINITY;
    if (bytes >= limit) {
      throw new Error(
        `${name} has ${bytes} bytes, its limit is ${limit}: ` +
          "load what is large from a file of its own.",
      );
    }
  }
}

/** What the files say so that none is used with one of another build. */
function buildOf(folder) {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true, encoding: "utf-8" });
  for (const file of files.filter((one) => one.endsWith(".ts")).sort()) {
    hash.update(file.replaceAll("\\", "/")).update(readFileSync(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

async function main() {
  for (const entry of Object.values(entries)) {
    if (!existsSync(entry)) throw new Error(`There is no ${relative(here, entry)}.`);
  }
  mkdirSync(output, { recursive: true });
  const common = {
    absWorkingDir: here,
    bundle: true,
    minify: true,
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    outdir: output,
    define: { STREAMCHAT_BUILD: JSON.stringify(buildOf(join(here, "src"))) },
    logLevel: "warning",
  };
  const styles = await build({
    ...common,
    entryPoints: { widget: join(here, "src/styles.css") },
  });
  const looks = readFileSync(join(output, "widget.css"), "utf-8").trim();
  const scripts = await build({
    ...common,
    entryPoints: entries,
    format: "esm",
    define: { ...common.define, STREAMCHAT_STYLES: JSON.stringify(looks) },
  });
  writeLicences([
    ...Object.keys(scripts.metafile.inputs),
    ...Object.keys(styles.metafile.inputs),
  ]);
  checkSizes({ ...scripts.metafile.outputs, ...styles.metafile.outputs });
}

try {
  await main();
} catch (error) {
  console.error(`The front end could not be bundled. ${error.message}`);
  process.exitCode = 1;
}
