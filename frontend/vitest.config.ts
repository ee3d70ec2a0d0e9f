import { defineConfig } from "vitest/config";

/** Generous: a busy machine is slow, and a test that hangs is still ended. */
const testTimeout = 60_000;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: ["tests/unit/**/*.test.ts"],
          testTimeout,
        },
      },
      {
        test: {
          name: "dom",
          environment: "jsdom",
          include: ["tests/dom/**/*.test.ts"],
          testTimeout,
        },
      },
    ],
  },
});
