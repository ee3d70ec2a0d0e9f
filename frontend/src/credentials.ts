/** Where the server is and how a page shows who it is. */

/** What a page knows of its server. */
export interface Site {
  /** Absolute, of this page's origin, ending in `/`. */
  readonly baseUrl: string;
  /** The page's own server token: the last resort, where cookies are not enough. */
  readonly pageToken: string | null;
}

/** The parts of a browser that are looked at. */
export interface PageFacts {
  readonly document: Pick<Document, "body" | "cookie" | "getElementById">;
  readonly location: Pick<Location, "href" | "origin" | "pathname">;
}

/** Jupyter's own pages end the base URL with one of these. */
const APPLICATION_PATH =
  /\/(?:lab|notebooks|tree|edit|consoles|terminals|doc|voila|streamchat|files|view)(?:\/|$)/;

/**
 * Find the server of this page: JupyterLab's page configuration, else `hint`, else the
 * page's own `data-base-url`, else the path of the page.
 *
 * @param hint a base URL that somebody else knows; only its path counts
 */
export function discoverSite(facts: PageFacts, hint = ""): Site {
  const { document, location } = facts;
  const config = pageConfig(document);
  const path =
    pathOf(config["baseUrl"], location) ??
    pathOf(hint, location) ??
    pathOf(document.body?.dataset?.["baseUrl"], location) ??
    location.pathname.replace(/\/$/, "").split(APPLICATION_PATH, 1)[0] ??
    "";
  const token = config["token"];
  return {
    baseUrl: new URL(path.endsWith("/") ? path : `${path}/`, location.origin).href,
    pageToken: typeof token === "string" && token !== "" ? token : null,
  };
}

/** The value of the XSRF cookie that belongs to this page's path, if it is readable. */
export function xsrfToken(document: Pick<Document, "cookie">): string | null {
  // Of several cookies of this name the one with the longest path comes first.
  const match = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie);
  return match?.[1] || null;
}

function pageConfig(
  document: Pick<Document, "getElementById">,
): Readonly<Record<string, unknown>> {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** The path of a base URL; `null` for none, or one of another origin. */
function pathOf(value: unknown, location: PageFacts["location"]): string | null {
  if (typeof value !== "string" || value === "") {
    return null;
  }
  try {
    const url = new URL(value, location.origin);
    return url.origin === location.origin ? url.pathname : null;
  } catch {
    return null;
  }
}
