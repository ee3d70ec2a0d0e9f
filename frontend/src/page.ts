/** The chat as a full page. The part of the address after # is the conversation's id. */

import { language } from "./catalog";
import { discoverSite } from "./credentials";
import { fileLoader } from "./lazy_files";
import { openChat } from "./open_chat";
import { ChatView } from "./view/chat";
import { ConversationsButton } from "./view/conversations_button";
import { speak } from "./view/language";
import { type LoadFile, Parts } from "./view/part";
import { followVisibleHeight } from "./visible_height";

const IDENTIFIER = /^[A-Za-z0-9._:-]{1,64}$/;

function conversationOfAddress(): string {
  const id = location.hash.slice(1);
  return IDENTIFIER.test(id) ? id : "";
}

/** What stays while the page goes from one conversation to the other. */
interface Page {
  readonly parts: Parts;
  readonly conversations: ConversationsButton;
}

function openConversation(id: string): void {
  if (id === conversationOfAddress()) return;
  location.hash = id;
}

/** Show the conversation of the address until `signal` aborts; a new one for none. */
function show({ parts, conversations }: Page, signal: AbortSignal): void {
  const { chat } = openChat({
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
  const newConversation = (): void => openConversation("");
  const options = { signal, layout: "page", parts, newConversation } as const;
  new ChatView(document.body, chat, { ...options, conversations }).focus();
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
async function speakForReader(load: LoadFile): Promise<void> {
  const wanted = new URL(location.href).searchParams.get("language");
  await speak(wanted ?? "auto", load);
  document.documentElement.lang = language();
}

dropTokenFromAddress();
followVisibleHeight(window);
document.body.style.margin = "0"; // the chat fills the window
const { baseUrl } = discoverSite({ document, location });
const load = fileLoader(new URL("streamchat/static/", baseUrl).href);
void speakForReader(load).then(() => {
  const parts = new Parts(load);
  const page: Page = {
    parts,
    conversations: new ConversationsButton({
      ...{ part: parts.conversations, open: openConversation, isBeside: true },
      signal: new AbortController().signal, // as long as the page
    }),
  };
  let lifetime = new AbortController();
  show(page, lifetime.signal);
  window.addEventListener("hashchange", () => {
    lifetime.abort();
    lifetime = new AbortController();
    show(page, lifetime.signal);
  });
});
