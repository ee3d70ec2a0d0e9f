/**
 * Which addresses of a model may become links or images.
 *
 * Nothing remote is fetched by showing a text, and one click must not act on the
 * server that serves the page: addresses of the page's own origin are no links.
 */

import { removeHidden } from "./hidden";

const WEB = /^https?:\/\/[^/\\]/i;
const MAIL = /^mailto:[^\s]+@[^\s]+$/i;
const INLINE_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;
const LARGEST_INLINE_IMAGE = 4_000_000;

export interface SafeLink {
  readonly href: string;
  /** Where it leads, for the reader's eyes: a host, or a mail address. */
  readonly destination: string;
}

function parse(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** The link to an address, or null when it may not be one. */
export function safeLink(address: string, origin: string): SafeLink | null {
  const trimmed = address.trim();
  if (/\s/.test(trimmed) || removeHidden(trimmed) !== trimmed) return null;
  if (MAIL.test(trimmed)) {
    const url = parse(trimmed);
    return url && { href: url.href, destination: url.pathname };
  }
  if (!WEB.test(trimmed)) return null;
  const url = parse(trimmed);
  if (url === null || url.origin === origin) return null;
  if (url.username !== "" || url.password !== "") return null;
  return { href: url.href, destination: url.host };
}

/** Whether an image may be shown: its bytes are in the address, or in this page. */
export function isLocalImage(address: string, origin: string): boolean {
  if (address.startsWith(`blob:${origin}/`)) return true;
  return address.length <= LARGEST_INLINE_IMAGE && INLINE_IMAGE.test(address);
}

/** Whether a link's text already tells where it leads. */
export function namesDestination(text: string, link: SafeLink): boolean {
  const shown = text.trim().toLowerCase().replace(/\/$/, "");
  const href = link.href.toLowerCase().replace(/\/$/, "");
  const bare = href.replace(/^(?:https?:\/\/|mailto:)/, "");
  return [href, bare, link.destination.toLowerCase()].includes(shown);
}
