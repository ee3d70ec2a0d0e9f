import { from, lastValueFrom, map, take, toArray } from "rxjs";
import { expect, test } from "vitest";
import { Store } from "../../../src/client/store";

class Numbers extends Store<number> {
  set(value: number): void {
    this.publish(value);
  }
  end(): void {
    this.complete();
  }
}

test("A function is told the value at once and every one after, until it ends", () => {
  const numbers = new Numbers(1);
  const told: number[] = [];
  const end = numbers.subscribe((value) => told.push(value));
  numbers.set(2);
  numbers.set(2);
  end();
  numbers.set(3);
  expect(told).toEqual([1, 2]);
  expect(numbers.getSnapshot()).toBe(3);
  expect(numbers.getState()).toBe(3);
});

test("Whoever comes late is told the value of now, and the end", () => {
  const numbers = new Numbers(1);
  numbers.set(5);
  numbers.end();
  numbers.set(6);
  const told: unknown[] = [];
  numbers.subscribe({
    next: (value) => told.push(value),
    complete: () => told.push("end"),
  });
  expect(told).toEqual([5, "end"]);
});

test("RxJS takes it as it is", async () => {
  const numbers = new Numbers(1);
  const doubled = from(numbers).pipe(map((value) => value * 2));
  const first = lastValueFrom(doubled.pipe(take(2), toArray()));
  const all = lastValueFrom(doubled.pipe(toArray()));
  numbers.set(2);
  numbers.set(3);
  numbers.end();
  expect(await first).toEqual([2, 4]);
  expect(await all).toEqual([2, 4, 6]);
});

test("A subscription that ends while others are told is told no more", () => {
  const numbers = new Numbers(1);
  const told: string[] = [];
  let second: { unsubscribe(): void } | undefined;
  numbers.subscribe((value) => {
    told.push(`first ${value}`);
    second?.unsubscribe();
  });
  second = numbers.subscribe({ next: (value) => told.push(`second ${value}`) });
  numbers.set(2);
  expect(told).toEqual(["first 1", "second 1", "first 2"]);
});
