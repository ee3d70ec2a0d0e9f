/**
 * AG-UI's own client against a real server.
 *
 * node scenarios.mjs URL TOKEN — the address of the server, with a slash at its end.
 * Prints one JSON line for each scenario: {name, error?}. Every wait has a deadline.
 */
import assert from "node:assert/strict";
import { HttpAgent } from "@ag-ui/client";

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `token ${token}` };
const DEADLINE_MS = 60_000;
let made = 0;

/** An agent at a thread of its own, unless one is named. */
function agentAt(options = {}) {
  made += 1;
  return new HttpAgent({
    url: `${url}streamchat/agui`,
    headers,
    threadId: `thread ${process.pid}/${made}`,
    ...options,
  });
}

/** Run and return the events that came, after the client's own checks. */
async function run(agent, { text, ...parameters } = {}) {
  if (text !== undefined) {
    made += 1;
    agent.addMessage({ id: `user-${made}`, role: "user", content: text });
  }
  const events = [];
  const subscriber = { onEvent: ({ event }) => void events.push(event) };
  await agent.runAgent(parameters, subscriber);
  const ends = events.filter((e) => e.type === "RUN_FINISHED" || e.type === "RUN_ERROR");
  assert.equal(ends.length, 1, `one end, not ${ends.map((e) => e.type)}`);
  return events;
}

const types = (events) => events.map((event) => event.type);
const of = (events, type) => events.filter((event) => event.type === type);
const outcome = (events) => of(events, "RUN_FINISHED")[0]?.outcome;
const facts = (events) => events[0].metadata.streamchat;
const saidBy = (agent, role) => agent.messages.filter((message) => message.role === role);
const lastText = (agent) => saidBy(agent, "assistant").at(-1).content;

async function api(path, options = {}) {
  const response = await fetch(`${url}streamchat/api/${path}`, { headers, ...options });
  return response.json();
}

async function endOfTurn({ conversation, turn }) {
  const until = Date.now() + DEADLINE_MS;
  while (Date.now() < until) {
    const { state } = await api(`conversations/${conversation}`);
    const found = state.turns.find((one) => one.turn === turn);
    if (found?.finished_ts) return found.status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the turn did not end");
}

/** Post a run by hand; for what the client itself would refuse to send. */
function post(input) {
  return fetch(`${url}streamchat/agui`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(input),
  });
}

const scenarios = {
  async text() {
    const agent = agentAt();
    const events = await run(agent, { text: "2 + 3" });
    assert.deepEqual(types(events).slice(0, 1), ["RUN_STARTED"]);
    assert.equal(types(events).at(-1), "RUN_FINISHED");
    assert.equal(events[0].protocolVersion, "1.0");
    assert.equal(events[0].threadId, agent.threadId);
    assert.equal(outcome(events).type, "success");
    assert.match(lastText(agent), /\*\*5\*\*/);
    assert.equal(saidBy(agent, "assistant").length, 1);
    assert.equal(saidBy(agent, "activity")[0].content.phase, "finished");
    assert.ok(of(events, "RUN_FINISHED")[0].usage[0].outputTokens > 0);
  },

  async reasoning() {
    const agent = agentAt();
    const events = await run(agent, { text: "think first" });
    assert.equal(saidBy(agent, "reasoning")[0].content, "Let me see, step by step.");
    assert.equal(lastText(agent), "I have thought about it.");
    const order = types(events);
    assert.ok(order.indexOf("REASONING_END") < order.indexOf("TEXT_MESSAGE_START"));
  },

  async server_tool() {
    const agent = agentAt();
    const events = await run(agent, { text: "Who is Ada?" });
    const [call] = saidBy(agent, "assistant")[0].toolCalls;
    assert.equal(call.function.name, "search_contacts");
    assert.equal(JSON.parse(call.function.arguments).query, "Ada");
    assert.match(saidBy(agent, "tool")[0].content, /Ada Lovelace/);
    assert.equal(saidBy(agent, "tool")[0].toolCallId, call.id);
    assert.match(lastText(agent), /Ada Lovelace/);
    const actions = of(events, "CUSTOM").find((e) => e.name === "streamchat.actions");
    assert.equal(actions.value.messageId, saidBy(agent, "assistant").at(-1).id);
    assert.deepEqual(actions.value.actions.map((a) => a.kind).sort(), ["button", "link"]);
    const shown = saidBy(agent, "activity").map((message) => message.activityType);
    assert.ok(shown.includes("streamchat.tool_progress"));
  },

  async parallel_tools() {
    const agent = agentAt();
    const text = 'call search_contacts {"query": "Ada"} and search_contacts {"query": "Grace"}';
    await run(agent, { text });
    const calls = saidBy(agent, "assistant")[0].toolCalls.map((call) => call.id);
    assert.equal(calls.length, 2);
    const answered = saidBy(agent, "tool").map((message) => message.toolCallId);
    assert.deepEqual([...answered].sort(), [...calls].sort());
  },

  async approval_approved() {
    const agent = agentAt();
    const first = await run(agent, { text: 'call write_note {"text": "one"}' });
    assert.equal(outcome(first).type, "interrupt");
    const [interrupt] = agent.pendingInterrupts;
    assert.equal(interrupt.reason, "tool_call");
    assert.equal(interrupt.toolCallId, saidBy(agent, "assistant")[0].toolCalls[0].id);
    assert.deepEqual(interrupt.responseSchema.required, ["approved"]);
    await assert.rejects(run(agent, { text: "And?" }), /pending interrupt/);
    agent.setMessages(agent.messages.slice(0, -1));
    const refused = await post({
      threadId: agent.threadId,
      runId: "another",
      messages: [{ id: "another", role: "user", content: "And?" }],
    });
    assert.equal(refused.status, 409);
    assert.equal((await refused.json()).code, "interrupts_open");
    const payload = { approved: true, editedArgs: { text: "two" } };
    const resume = [{ interruptId: interrupt.id, status: "resolved", payload }];
    const second = await run(agent, { resume });
    assert.equal(outcome(second).type, "success");
    assert.equal(of(second, "TOOL_CALL_START").length, 0);
    assert.equal(of(second, "MESSAGES_SNAPSHOT").length, 0);
    assert.equal(saidBy(agent, "tool")[0].content, "Noted: two");
    assert.match(lastText(agent), /Noted: two/);
    assert.deepEqual(agent.pendingInterrupts, []);
    assert.equal(facts(first).turn, facts(second).turn);
    // The same answer again is the same run; another one comes too late, and is told.
    const before = structuredClone(agent.messages);
    const again = await run(agent, { resume });
    assert.notEqual(of(again, "MESSAGES_SNAPSHOT").length, 0);
    const without = (messages) => messages.filter((m) => !["activity", "user"].includes(m.role));
    assert.deepEqual(without(agent.messages).map((m) => m.content), without(before).map((m) => m.content));
    const denial = [{ interruptId: interrupt.id, status: "resolved", payload: { approved: false } }];
    const late = await run(agent, { resume: denial });
    const told = of(late, "CUSTOM").find((e) => e.name === "streamchat.approval");
    assert.equal(told.value.approved, true);
  },

  async approval_denied() {
    const agent = agentAt();
    await run(agent, { text: 'call write_note {"text": "no"}' });
    const [{ id }] = agent.pendingInterrupts;
    const payload = { approved: false, reason: "not today" };
    const resume = [{ interruptId: id, status: "resolved", payload }];
    const events = await run(agent, { resume });
    assert.equal(outcome(events).type, "success");
    const [result] = of(events, "TOOL_CALL_RESULT");
    assert.match(result.content, /not today/);
    assert.equal(result.metadata.streamchat.status, "denied");
  },

  async approval_abandoned() {
    const agent = agentAt();
    await run(agent, { text: 'call write_note {"text": "x"}' });
    const [{ id }] = agent.pendingInterrupts;
    const resume = [{ interruptId: id, status: "cancelled" }];
    const events = await run(agent, { text: "2 + 2", resume });
    assert.equal(outcome(events).type, "success");
    assert.match(lastText(agent), /\*\*4\*\*/);
  },

  async client_tools() {
    const agent = agentAt();
    const parameters = { type: "object", properties: { hint: { type: "string" } } };
    const tools = ["pick_colour", "pick_size"].map((name) => ({
      name,
      description: `${name}, by the person at the screen.`,
      parameters,
    }));
    const text = 'call pick_colour {"hint": "warm"} and pick_size {}';
    const first = await run(agent, { text, tools });
    const calls = saidBy(agent, "assistant")[0].toolCalls;
    assert.equal(outcome(first).type, "success");
    assert.deepEqual(outcome(first).pendingToolCallIds, calls.map((call) => call.id));
    assert.equal(JSON.parse(calls[0].function.arguments).hint, "warm");
    agent.addMessage({ id: "result-1", role: "tool", toolCallId: calls[0].id, content: "amber" });
    const partly = await post({
      threadId: agent.threadId,
      runId: "partly",
      messages: agent.messages.filter((message) => message.role !== "activity"),
      tools,
    });
    assert.equal((await partly.json()).code, "tool_results_missing");
    agent.addMessage({ id: "result-2", role: "tool", toolCallId: calls[1].id, content: "large" });
    const second = await run(agent, { tools });
    assert.equal(outcome(second).type, "success");
    assert.equal(outcome(second).pendingToolCallIds, undefined);
    assert.equal(of(second, "TOOL_CALL_RESULT").length, 0);
    assert.match(lastText(agent), /amber/);
    assert.match(lastText(agent), /large/);
    const third = await run(agent, { text: "2 + 2", tools });
    assert.equal(of(third, "MESSAGES_SNAPSHOT").length, 0, "nothing was missing");
  },

  async client_tools_left() {
    const agent = agentAt();
    const tools = [{ name: "pick_colour", description: "Pick one." }];
    await run(agent, { text: "call pick_colour {}", tools });
    const events = await run(agent, { text: "2 + 2", tools });
    assert.equal(outcome(events).type, "success");
    assert.match(lastText(agent), /\*\*4\*\*/);
  },

  async cancel() {
    const abortAtFirstText = async (secondsPerWord, forwardedProps) => {
      const agent = agentAt();
      let started;
      agent.subscribe({
        onRunStartedEvent: ({ event }) => {
          started = event.metadata.streamchat;
        },
        onTextMessageContentEvent: () => agent.abortRun(),
      });
      agent.addMessage({ id: "q", role: "user", content: `/demo slow ${secondsPerWord}` });
      await agent.runAgent({ forwardedProps });
      return endOfTurn(started);
    };
    const cancels = { streamchat: { cancelOnDisconnect: true } };
    const ends = await Promise.all([abortAtFirstText(1, cancels), abortAtFirstText(0.01, {})]);
    assert.deepEqual(ends, ["cancelled", "completed"]);
    const agent = agentAt();
    const cancelled = [];
    agent.subscribe({
      onTextMessageContentEvent: ({ agent: { started } }) => {
        const path = `conversations/${started.conversation}/turns/${started.turn}/cancel`;
        if (cancelled.length === 0) cancelled.push(api(path, { method: "POST" }));
      },
      onRunStartedEvent: ({ event, agent: running }) => {
        running.started = event.metadata.streamchat;
      },
    });
    const events = await run(agent, { text: "/demo slow 1" });
    await cancelled[0];
    assert.equal(outcome(events).type, "cancelled");
    const next = await run(agent, { text: "2 + 2" });
    assert.equal(outcome(next).type, "success");
  },

  async error_in_the_middle() {
    const agent = agentAt();
    const events = await run(agent, { text: "/demo error" });
    const [failed] = of(events, "RUN_ERROR");
    assert.match(failed.code, /^model_/);
    assert.ok(failed.message.length > 10);
    const next = await run(agent, { text: "2 + 2" });
    assert.equal(outcome(next).type, "success");
  },

  async replay() {
    const agent = agentAt();
    const first = await run(agent, { text: "Who is Ada?", runId: "run 1" });
    const shown = (one) =>
      one.messages.filter((m) => m.role !== "activity").map(({ id, role, content }) => ({ id, role, content }));
    const { threadId } = agent;
    const user = agent.messages[0];
    const fresh = agentAt({ threadId, initialMessages: [user] });
    const again = await run(fresh, { runId: "run 1" });
    assert.deepEqual(shown(fresh), shown(agent));
    assert.equal(facts(again).turn, facts(first).turn);
    // A client whose stream was cut has the beginning already, and gets it once.
    const answer = saidBy(agent, "assistant")[0];
    const begun = { ...answer, content: answer.content.slice(0, 5), toolCalls: undefined };
    const cut = agentAt({ threadId, initialMessages: [user, begun] });
    await run(cut, { runId: "run 1" });
    assert.deepEqual(shown(cut).map((m) => m.content), shown(agent).map((m) => m.content));
    const other = await post({
      threadId,
      runId: "run 1",
      messages: [{ id: "x", role: "user", content: "something else" }],
    });
    assert.equal(other.status, 409);
    assert.equal((await other.json()).code, "idempotency_mismatch");
  },

  async threads_and_late_history() {
    const [one, two] = [agentAt(), agentAt()];
    await run(one, { text: "2 + 3" });
    const other = await run(two, { text: "4 + 4" });
    assert.equal(of(other, "MESSAGES_SNAPSHOT").length, 0, "threads are apart");
    const late = agentAt({ threadId: one.threadId });
    const events = await run(late, { text: "1 + 1" });
    const told = late.messages.filter((m) => m.role !== "activity");
    assert.deepEqual(told.map((m) => m.role), ["user", "assistant", "user", "assistant"]);
    assert.match(told[1].content, /\*\*5\*\*/);
    assert.match(told[3].content, /\*\*2\*\*/);
    const here = agentAt({ threadId: facts(events).conversation, initialMessages: told });
    const third = await run(here, { text: "3 + 3" });
    assert.equal(facts(third).conversation, facts(events).conversation);
    assert.equal(of(third, "MESSAGES_SNAPSHOT").length, 0, "it has everything");
  },

  async context() {
    const agent = agentAt();
    const context = [{ description: "What is on the screen", value: "a chart" }];
    const events = await run(agent, { text: "2 + 3", context });
    const { state } = await api(`conversations/${facts(events).conversation}`);
    const [, shared] = state.messages[0].blocks.map((block) => block.content);
    assert.equal(shared.name, "What is on the screen");
    assert.equal(shared.text, "a chart");
  },
};

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it took too long")), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

for (const [name, scenario] of Object.entries(scenarios)) {
  const began = Date.now();
  let error;
  try {
    await within(scenario());
  } catch (failure) {
    error = failure.stack ?? String(failure);
  }
  console.log(JSON.stringify({ name, error, seconds: (Date.now() - began) / 1000 }));
}
process.exit(0);
