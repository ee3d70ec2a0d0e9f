/** Who else follows the conversation: a quiet number, and on demand who they are. */

import { removeHidden } from "../markdown/hidden";
import { BadgeView } from "./badge";
import { make } from "./element";
import { strings } from "./strings";
import type { Presence, Seat } from "./types";

export class PresenceBadge extends BadgeView {
  readonly #list = make("ul", "seats");

  constructor(signal: AbortSignal) {
    super(signal);
    this.popover.append(this.#list);
    this.element.hidden = true;
  }

  /** One seat alone is not worth a word. */
  updatePresence({ seats, count }: Presence): void {
    this.element.hidden = count < 2;
    if (count < 2) return;
    const text = strings.seatsHere(count);
    this.update("plain", text, strings.seatsDetail, text);
    const items = seats.map(makeSeat);
    if (count > seats.length) {
      items.push(make("li", "", strings.moreSeats(count - seats.length)));
    }
    this.#list.replaceChildren(...items);
  }
}

function makeSeat({ user, name, kind, isThis }: Seat): HTMLElement {
  const what = removeHidden(name) || strings.seatKinds[kind] || strings.seatKinds.tool;
  const seat = make("li", "", make("strong", "", removeHidden(user)), ` · ${what}`);
  if (isThis) {
    seat.append(" ", make("span", "this-seat", strings.thisSeat));
  }
  return seat;
}
