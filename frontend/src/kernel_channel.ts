/**
 * What the browser and the kernel say to each other, beside the server: messages of
 * the widget, each of one channel. `streamchat_nb/widget/kernel_channel.py` is the
 * other end.
 */

/** The part of anywidget's model that carries messages. */
export interface MessageModel {
  send(content: unknown): void;
  on(event: "msg:custom", callback: (content: unknown) => void): void;
  off(event: "msg:custom", callback: (content: unknown) => void): void;
}

/** Which part of the widget a message is for. */
export type ChannelName = "share" | "relay" | "saved";

/** A JSON object; `channel` is added to it. */
export type KernelMessage = Readonly<Record<string, unknown>>;

/** The messages of one widget. Nothing says that the kernel is there, or answers. */
export class KernelChannel {
  readonly #model: MessageModel;

  constructor(model: MessageModel) {
    this.#model = model;
  }

  /** @returns whether there was a way to send it */
  send(channel: ChannelName, body: KernelMessage): boolean {
    try {
      this.#model.send({ ...body, channel });
      return true;
    } catch {
      return false; // the kernel is gone, or was never there
    }
  }

  /** Hear what the kernel says in a channel, until `signal` aborts. */
  listen(
    channel: ChannelName,
    listener: (message: KernelMessage) => void,
    signal: AbortSignal,
  ): void {
    const take = (content: unknown): void => {
      const message = content as KernelMessage | null;
      if (message?.["channel"] === channel) {
        listener(message);
      }
    };
    if (!signal.aborted) {
      this.#model.on("msg:custom", take);
      signal.addEventListener("abort", () => this.#model.off("msg:custom", take), {
        once: true,
      });
    }
  }
}
