/** A server's token, in the requests and sockets of a program that is no page of it. */

/** Where the token comes from; neither: the cookies of this page. */
export interface CredentialOptions {
  /** The server's token. */
  readonly token?: string | undefined;
  /** Asks for a token; asked again when the one before is not accepted any more. */
  readonly fetchToken?: (() => Promise<string>) | undefined;
  /** Makes the requests; the platform's own when absent. */
  readonly fetch?: typeof fetch | undefined;
}

export class Credential {
  readonly #options: CredentialOptions;
  readonly #fetch: typeof fetch;
  #token: string | null;
  #asked: Promise<void> | null = null;

  constructor(options: CredentialOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#token = options.token ?? null;
  }

  /** Whether it is a token, not the cookies of a page. */
  get isToken(): boolean {
    return this.#options.token !== undefined || this.#options.fetchToken !== undefined;
  }

  /** Headers that carry the token, as far as it is known. */
  get headers(): Readonly<Record<string, string>> {
    return this.#token === null ? {} : { Authorization: `token ${this.#token}` };
  }

  /** Have a token, where one has to be asked for. Never rejects. */
  async prepare(): Promise<void> {
    const { fetchToken } = this.#options;
    if (this.#token !== null || fetchToken === undefined) {
      return;
    }
    this.#asked ??= fetchToken()
      .then((token) => {
        this.#token = token;
      })
      .catch(() => undefined) // the request then says that nobody is signed in
      .finally(() => {
        this.#asked = null;
      });
    await this.#asked;
  }

  /** `fetch` with the token; with a new one where the server does not accept it. */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    await this.prepare();
    const used = this.#token;
    const response = await this.#fetchOnce(input, init);
    const isRefused = response.status === 401 || response.status === 403;
    if (!isRefused || this.#options.fetchToken === undefined) {
      return response;
    }
    if (this.#token === used) {
      this.#token = null;
    }
    await response.body?.cancel();
    await this.prepare();
    return await this.#fetchOnce(input, init);
  };

  #fetchOnce(input: RequestInfo | URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(this.headers)) {
      headers.set(name, value);
    }
    return this.#fetch(input, { ...init, headers });
  }
}
