/** Waiting for what a chat paints. */

/** Let the frame that was asked for be painted. */
export async function paint(): Promise<void> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Let text be painted that waits for more of it: it began to wait before this does. */
export async function paintText(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  await paint();
}
