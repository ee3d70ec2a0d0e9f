import { Component, computed, DestroyRef, inject } from "@angular/core";
import { toSignal } from "@angular/core/rxjs-interop";
import {
  type Conversation,
  type MessageState,
  openConversation,
} from "@streamchat-nb/client";
import { from } from "rxjs";

/** The server's address and token, handed over after the #, which is sent to nobody. */
function openGiven(): Conversation {
  const given = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  return openConversation({
    url: given.get("url") ?? location.origin,
    token: given.get("token") ?? undefined,
    name: "Angular",
  });
}

@Component({
  selector: "chat-room",
  template: `
    <p id="connection" role="status">{{ snapshot().connection.text }}</p>
    <main id="messages" aria-live="polite">
      @for (message of snapshot().messages; track message.message) {
        <article [attr.data-role]="message.role" [attr.data-status]="message.status">{{
          textOf(message)
        }}</article>
      }
    </main>
    <p id="activity">{{ activity() }}</p>
    <div id="approvals">
      @for (call of snapshot().approvals; track call.tool_call) {
        <p>
          {{ call.label }}: {{ call.approval?.prompt }}
          <button (click)="answer(call.approval?.approval, 'approved')">Allow</button>
          <button (click)="answer(call.approval?.approval, 'denied')">Deny</button>
        </p>
      }
    </div>
    <form id="composer" (submit)="send($event, text)">
      <input #text id="text" aria-label="Your message" autocomplete="off" />
      <button>Send</button>
      <button
        type="button"
        id="stop"
        [disabled]="!snapshot().running"
        (click)="conversation.cancel()"
      >
        Stop
      </button>
    </form>
  `,
})
export class ChatRoom {
  protected readonly conversation = openGiven();
  protected readonly snapshot = toSignal(from(this.conversation), {
    requireSync: true,
  });
  /** What the agent does now, in words. */
  protected readonly activity = computed(() => {
    const { tool_calls, running } = this.snapshot();
    const call = tool_calls.findLast(({ status }) => status === "running");
    if (call) return call.progress_message ?? `${call.label}…`;
    return running ? running.label || "Working…" : "";
  });

  constructor() {
    inject(DestroyRef).onDestroy(() => this.conversation.close());
  }

  protected textOf(message: MessageState): string {
    const texts = message.blocks.filter(({ kind }) => kind === "text");
    return texts.map(({ text }) => text).join("\n");
  }

  protected send(event: Event, field: HTMLInputElement): void {
    event.preventDefault();
    this.conversation.send(field.value);
    field.value = "";
  }

  protected answer(id: string | undefined, decision: "approved" | "denied"): void {
    if (id !== undefined) {
      this.conversation.approve(id, { decision });
    }
  }
}
