/** All keys of the chat: the one table that is both what is handled and what is shown. */

import { actionIn, CHAT_SHORTCUTS, FIELD_SHORTCUTS } from "./shortcuts";

/** What each key does, by where it is pressed. */
export const SHORTCUTS = {
  /** In the message field. */
  field: { ...FIELD_SHORTCUTS, earlier: ["ArrowUp"], later: ["ArrowDown"] },
  /** Anywhere in the chat. */
  chat: {
    ...CHAT_SHORTCUTS,
    focusField: ["Shift+Escape"],
    previousMessage: ["Alt+ArrowUp"],
    nextMessage: ["Alt+ArrowDown"],
    copyAnswer: ["Mod+Shift+c"],
    copyCode: ["Mod+Shift+x"],
    newConversation: ["Mod+Shift+o"],
    conversations: ["Mod+Shift+l"],
    settings: ["Mod+,"],
    help: ["Mod+/"],
  },
  /** In the chat, but where nothing is written. */
  reading: {
    focusField: ["/"],
    previousMessage: ["k"],
    nextMessage: ["j"],
    copyAnswer: ["c"],
    copyCode: ["x"],
    help: ["?"],
  },
  /** In the message field, while something is offered to complete it. */
  choices: {
    previousChoice: ["ArrowUp"],
    nextChoice: ["ArrowDown"],
    choose: ["Enter"],
    complete: ["Tab"],
    declineChoices: ["Escape"],
  },
  /** While a message that waits is changed. */
  change: { saveChange: ["Enter", "Mod+Enter"], leaveChange: ["Escape"] },
} as const;

export type Scope = keyof typeof SHORTCUTS;

/** What a key of `scope` can do. */
export type ActionOf<Where extends Scope> = keyof (typeof SHORTCUTS)[Where];

/** What a key pressed in `scope` does. */
export function actionOf<Where extends Scope>(
  scope: Where,
  event: KeyboardEvent,
): ActionOf<Where> | undefined {
  return actionIn(SHORTCUTS[scope], event);
}

/** Whether keys that are characters are for something else than the chat. */
export function takesCharacters(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.closest(
        "input, textarea, select, dialog, [role=dialog], nav, [role=navigation]",
      ) !== null)
  );
}
