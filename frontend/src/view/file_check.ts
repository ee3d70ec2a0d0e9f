/** Whether a file can be attached, said at once instead of after its upload. */

import { formatBytes } from "./formats";
import { more } from "./more_strings";
import { isPicture } from "./picture";

/** So much of a file tells text from other bytes. */
const LOOKED_AT_BYTES = 65_536;

/** Return why a file cannot be attached; `null` when it can. */
export async function problemOfFile(
  file: File,
  bytesLimit: number,
): Promise<string | null> {
  const { name, size, type } = file;
  if (size === 0) return more.fileEmpty(name);
  if (size > bytesLimit) {
    return more.fileTooLarge(name, formatBytes(size), formatBytes(bytesLimit));
  }
  if (isPicture(type) || type === "application/pdf") return null;
  return (await isText(file)) ? null : more.fileUnfit(name);
}

/** Whether a file begins with text: UTF-8 without NUL. */
async function isText(file: Blob): Promise<boolean> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    const bytes = await file.slice(0, LOOKED_AT_BYTES).arrayBuffer();
    // The last character may be cut: more is to come.
    return !decoder.decode(bytes, { stream: true }).includes("\0");
  } catch {
    return false;
  }
}
