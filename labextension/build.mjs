/**
 * Builds the extension with JupyterLab's builder: our TypeScript becomes one script,
 * of which the builder makes a module that JupyterLab loads as it is.
 *
 * The result is a folder for share/jupyter/labextensions.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const output = join(here, "dist/labextensions/@streamchat-nb/lab");
const core = join(here, "dist/core");

/** One script; what JupyterLab has is left to the builder. */
async function compile() {
  await build({
    absWorkingDir: here,
    bundle: true,
    entryPoints: { index: join(here, "src/index.ts") },
    external: ["@jupyterlab/*", "@lumino/*"],
    format: "esm",
    target: "es2022",
    charset: "utf8",
    outdir: join(here, "dist/lib"),
    logLevel: "warning",
  });
}

/** The packages that JupyterLab has, where the builder looks for them. */
function writeCore() {
  mkdirSync(core, { recursive: true });
  copyFileSync(
    require.resolve("@jupyterlab/core-meta/core.package.json"),
    join(core, "package.json"),
  );
}

function pack() {
  const builder = require.resolve("@jupyterlab/builder/lib/build-labextension.js");
  const made = spawnSync(process.execPath, [builder, "--core-path", core, here], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (made.status !== 0) throw new Error("JupyterLab's builder failed.");
}

/** Let JupyterLab tell people how the extension was installed, and goes away. */
function writeInstallInfo() {
  const info = {
    packageManager: "python",
    packageName: "streamchat_nb",
    uninstallInstructions:
      "Use your Python package manager (pip, conda, etc.) to uninstall the package streamchat_nb",
  };
  writeFileSync(join(output, "install.json"), `${JSON.stringify(info, null, 2)}\n`);
}

rmSync(join(here, "dist"), { recursive: true, force: true });
await compile();
writeCore();
pack();
writeInstallInfo();
