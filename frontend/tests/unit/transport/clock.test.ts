import { expect, test } from "vitest";
import { SleepingClock } from "../../../src/transport/clock";

let awake = 0;
let wall = 1_000_000;

function pass(milliseconds: number): void {
  awake += milliseconds;
  wall += milliseconds;
}

test("time goes on while the computer sleeps, and never back", () => {
  const clock = new SleepingClock(
    () => awake,
    () => wall,
  );
  pass(100);
  expect(clock.read()).toBe(100);

  wall += 60_000; // asleep
  pass(50);
  expect(clock.read()).toBe(60_150);

  wall -= 3_600_000; // put back
  pass(50);
  expect(clock.read()).toBe(60_200);

  wall += 900; // put right
  expect(clock.read()).toBe(60_200);
});
