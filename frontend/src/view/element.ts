/** Making elements. */

/**
 * An element with its classes and children; text becomes text nodes. Classes are
 * written without `streamchat-`, which each of them gets.
 */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== "") {
    element.className = className.replace(/\S+/g, "streamchat-$&");
  }
  element.append(...children);
  return element;
}

/** An element that reads in the direction of its text, whatever that of the page. */
export function makeProse<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
): HTMLElementTagNameMap[Name] {
  const element = make(name, className);
  element.dir = "auto";
  return element;
}

/** A button that submits nothing; its classes as in `make`. */
export function makeButton(
  className: string,
  label: Node | string,
  onClick: () => void,
  signal: AbortSignal,
): HTMLButtonElement {
  const button = make("button", className, label);
  button.type = "button";
  button.addEventListener("click", onClick, { signal });
  return button;
}

/** Write text only where it differs, so that nothing is laid out for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Make `parent` hold exactly `children` in this order, moving as few as possible. */
export function arrange(parent: Element, children: readonly Element[]): void {
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  while (next !== null) {
    const gone = next;
    next = next.nextElementSibling;
    gone.remove();
  }
}
