/**
 * Makes the npm package of the browser side in `dist/`: the folder `client/`, and the
 * tarball of it that `npm install` takes. Its version is the Python package's.
 */

import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, "dist", "client");

function version() {
  const text = readFileSync(join(here, "../streamchat_nb/_version.py"), "utf-8");
  const found = /__version__ = "([^"]+)"/.exec(text);
  if (found === null) throw new Error("streamchat_nb/_version.py names no version.");
  return found[1];
}

function manifest() {
  const { license, engines } = JSON.parse(
    readFileSync(join(here, "package.json"), "utf-8"),
  );
  return {
    name: "@streamchat-nb/client",
    version: version(),
    description:
      "Streamed chat with the agents of a Jupyter server, for any front end.",
    keywords: ["agent", "chat", "jupyter", "streaming"],
    ...{ license, engines },
    type: "module",
    sideEffects: false,
    exports: { ".": { types: "./types/client/index.d.ts", default: "./index.js" } },
    types: "./types/client/index.d.ts",
    files: ["index.js", "index.js.map", "types"],
  };
}

/** Node resolves only whole names of files: `./store` becomes `./store.js`. */
function completeImports(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith(".d.ts")) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, "utf-8");
    writeFileSync(path, text.replace(/(from|import\() ?"(\.[^"]+)"/g, '$1 "$2.js"'));
  }
}

async function main() {
  rmSync(join(here, "dist"), { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  await build({
    absWorkingDir: here,
    entryPoints: { index: join(here, "src/client/index.ts") },
    outdir: output,
    bundle: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    sourcemap: true,
    logLevel: "warning",
  });
  const compiler = join(here, "node_modules/typescript/bin/tsc");
  execFileSync(
    process.execPath,
    [compiler, "-p", join(here, "tsconfig.package.json")],
    {
      stdio: "inherit",
    },
  );
  completeImports(join(output, "types"));
  writeFileSync(
    join(output, "package.json"),
    `${JSON.stringify(manifest(), null, 2)}\n`,
  );
  cpSync(join(here, "../LICENSE"), join(output, "LICENSE"));
  cpSync(join(here, "package/README.md"), join(output, "README.md"));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  execFileSync(npm, ["pack", "--silent", "--pack-destination", ".."], {
    cwd: output,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

try {
  await main();
} catch (error) {
  console.error(`The npm package could not be made. ${error.message}`);
  process.exitCode = 1;
}
