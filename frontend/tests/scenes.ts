/** Events of a conversation about a contact, piece by piece. */

import type { ScriptedEvent } from "./scripted_model";

const user = { id: "u", name: "Ada", kind: "user" };
const agent = { id: "assistant", name: "Agent", kind: "agent" };

/** The reader's message; echoes `client_message_id` `w-<id>`. */
export function asks(message: string, text: string): ScriptedEvent {
  const content = [{ type: "text", text }];
  const client_message_id = `w-${message}`;
  return {
    type: "message.created",
    message,
    role: "user",
    author: user,
    content,
    client_message_id,
  };
}

export function turnStarts(
  turn: string,
  message: string,
  offline = true,
): ScriptedEvent {
  return {
    type: "turn.started",
    turn,
    message,
    agent: "assistant",
    model: "offline-demo",
    offline,
  };
}

export function status(turn: string, phase: string, label: string): ScriptedEvent {
  return { type: "turn.status", turn, phase, label };
}

export function answers(turn: string, message: string): ScriptedEvent {
  return { type: "message.created", turn, message, role: "assistant", author: agent };
}

export function blockStarts(
  message: string,
  block: string,
  kind: string,
): ScriptedEvent {
  return { type: "block.started", message, block, kind };
}

export function delta(
  message: string,
  block: string,
  text: string,
  kind = "text",
): ScriptedEvent {
  return { type: "block.delta", message, block, kind, delta: text };
}

export function completes(
  message: string,
  content: readonly object[],
  more: object = {},
): ScriptedEvent {
  return { type: "message.completed", message, content, ...more };
}

export function textContent(text: string): object {
  return { type: "text", text };
}

export function toolContent(id: string, name: string, input: object): object {
  return { type: "tool_use", id, name, input };
}

export function toolRequested(
  message: string,
  block: string,
  tool_call: string,
  name: string,
  input: object,
  turn: string,
): ScriptedEvent {
  const label = `Using ${name}…`;
  return {
    type: "tool.requested",
    message,
    block,
    tool_call,
    name,
    label,
    input,
    turn,
  };
}

export function toolStarted(tool_call: string): ScriptedEvent {
  return { type: "tool.started", tool_call };
}

export function toolProgress(
  tool_call: string,
  message: string | null,
  fraction: number | null,
): ScriptedEvent {
  return { type: "tool.progress", tool_call, message, fraction };
}

export function toolCompleted(
  tool_call: string,
  state: string,
  output: string,
  duration_ms: number,
): ScriptedEvent {
  return { type: "tool.completed", tool_call, status: state, output, duration_ms };
}

export function turnFinished(
  turn: string,
  state: string,
  more: object = {},
): ScriptedEvent {
  return { type: "turn.finished", turn, status: state, ...more };
}

/** A turn from question to answer in one message. */
export function wholeTurn(
  number: number,
  question: string,
  answer: string,
): ScriptedEvent[] {
  const [turn, asked, answered] = [`t${number}`, `u${number}`, `a${number}`];
  return [
    asks(asked, question),
    turnStarts(turn, asked),
    answers(turn, answered),
    blockStarts(answered, "b0", "text"),
    completes(answered, [textContent(answer)], { stop_reason: "end_turn" }),
    turnFinished(turn, "completed"),
  ];
}
