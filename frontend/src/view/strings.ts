/** Every word that the chat says by itself, in one place for translation. */

export const strings = {
  // Markdown
  hiddenCharacters: (count: number) =>
    count === 1 ? "[1 hidden character]" : `[${count} hidden characters]`,
  image: "image",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Could not copy",
  copyCode: "Copy this code",
  taskDone: "done",
  taskOpen: "not done",
} as const;
