/** Fetching files of the front end that are loaded when they are needed. */

import { build } from "./build";
import type { KernelWay } from "./connection";
import { relayFetch } from "./transport/relay_fetch";
import type { FileName, LoadFile } from "./view/part";

const TIMEOUT_MS = 20_000;

/**
 * Return what loads files: from the chat's server, else from the kernel, which has
 * them in its package. Each has 20 s, and is kept once it is there.
 *
 * @param staticUrl the folder of the files on the server, ending in `/`
 * @param kernel the kernel behind the chat, where there is one
 */
export function fileLoader(staticUrl: string, kernel?: KernelWay): LoadFile {
  const loaded = new Map<FileName, unknown>();
  const failures = new Map<FileName, number>();
  const fromServer = async (name: FileName): Promise<unknown> => {
    const failed = failures.get(name) ?? 0;
    failures.set(name, failed + 1); // a browser remembers that an address failed
    return await imported(`${staticUrl}${name}.js?v=${build}${".".repeat(failed)}`);
  };
  const load = async (name: FileName): Promise<unknown> => {
    if (kernel === undefined) return await fromServer(name);
    if (kernel.isOnly) return await fromKernel(kernel, name);
    try {
      return await fromServer(name);
    } catch {
      return await fromKernel(kernel, name);
    }
  };
  return async (name) => {
    const known = loaded.get(name) ?? (await load(name));
    loaded.set(name, known);
    return known;
  };
}

async function fromKernel({ channel }: KernelWay, name: FileName): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await relayFetch(channel, `static/${name}.js`, { signal });
  if (!response.ok) throw new Error(`The kernel has no ${name}.js.`);
  const file = new Blob([await response.text()], { type: "text/javascript" });
  const url = URL.createObjectURL(file);
  try {
    return await imported(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function imported(url: string): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The file did not come.")), TIMEOUT_MS);
  });
  try {
    const module = (await Promise.race([import(url), late])) as { build?: string };
    if (module.build !== build) throw new Error("The file is of another version.");
    return module;
  } finally {
    clearTimeout(timer);
  }
}
