/** The chat as a full page. The part of the address after # is the conversation's id. */

import { language } from "./catalog";
import { discoverSite } from "./credentials";
import { fileLoader } from "./lazy_files";
import { openChat } from "./open_chat";
import { ChatView } from "./view/chat";
import { speak } from "./view/language";
import { Parts } from "./view/part";

const IDENTIFIER = /^[A-Za-z0-9._:-]{1,64}$/;

function conversationOfAddress(): string {
  const id = location.hash.slice(1);
  return IDENTIFIER.test(id) ? id : "";
}

/** Show the conversation of the address until `signal` aborts; a new one for none. */
function show(signal: AbortSignal): void {
  const { chat, staticUrl } = openChat({
    conversation: conversationOfAddress(),
    kind: "page",
    signal,
    onConversation: (id) => history.replaceState(null, "", `#${id}`),
  });
  const name = document.title;
  const setTitle = (): void => {
    const { title } = chat.state;
    document.title = title === "" ? name : `${title} · ${name}`;
  };
  chat.subscribe(({ kind }) => {
    if (kind === "conversation" || kind === "reset") {
      setTitle();
    }
  }, signal);
  signal.addEventListener(
    "abort",
    () => {
      document.title = name;
    },
    { once: true },
  );
  const parts = new Parts(fileLoader(staticUrl));
  const newConversation = (): void => {
    location.hash = "";
  };
  const options = { signal, layout: "page", parts, newConversation } as const;
  new ChatView(document.body, chat, options).focus();
}

/** The server's token was for the first request; it need not stay in the address. */
function dropTokenFromAddress(): void {
  const address = new URL(location.href);
  if (address.searchParams.has("token")) {
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
}

/** Speak the language that the address names (`?language=de`), else the browser's. */
async function speakForReader(): Promise<void> {
  const { baseUrl } = discoverSite({ document, location });
  const load = fileLoader(new URL("streamchat/static/", baseUrl).href);
  const wanted = new URL(location.href).searchParams.get("language");
  await speak(wanted ?? "auto", load);
  document.documentElement.lang = language();
}

dropTokenFromAddress();
document.body.style.margin = "0"; // the chat fills the window
void speakForReader().then(() => {
  let lifetime = new AbortController();
  show(lifetime.signal);
  window.addEventListener("hashchange", () => {
    lifetime.abort();
    lifetime = new AbortController();
    show(lifetime.signal);
  });
});
