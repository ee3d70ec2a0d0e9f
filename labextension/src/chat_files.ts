/** The chat itself, from the server's own files: the extension holds only what Lab needs. */

import { PageConfig } from "@jupyterlab/coreutils";
import type * as lab from "../../frontend/src/lab";

export type ChatFile = typeof lab;

/** Why the chat cannot be shown. */
export type Failure = "notEnabled" | "otherVersion" | "notReached";

/** What of the chat's file this extension knows: see `labInterface` there. */
const INTERFACE: ChatFile["labInterface"] = 1;
const TIMEOUT_MS = 20_000;

let loading: Promise<ChatFile> | null = null;

export class LoadError extends Error {
  constructor(readonly failure: Failure) {
    super(failure);
  }
}

/**
 * Load the chat and its style, once for the page; after a failure the next call tries
 * again.
 *
 * @throws {LoadError} it cannot be had
 */
export function loadChat(): Promise<ChatFile> {
  loading ??= load().catch((error: unknown) => {
    loading = null;
    throw error instanceof LoadError ? error : new LoadError("notReached");
  });
  return loading;
}

async function load(): Promise<ChatFile> {
  const folder = new URL("streamchat/static/", PageConfig.getBaseUrl());
  const url = new URL("lab.js", folder).href;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch(url, { signal, cache: "no-cache" });
  if (answer.status === 404) throw new LoadError("notEnabled");
  if (!answer.ok) throw new LoadError("notReached");
  await answer.blob(); // so that the import finds it in the browser's cache
  const file = (await import(/* webpackIgnore: true */ url)) as ChatFile;
  if (file.labInterface !== INTERFACE) throw new LoadError("otherVersion");
  addStyle(new URL("widget.css", folder).href);
  return file;
}

function addStyle(href: string): void {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}
