import { expect, it } from "vitest";
import { SessionList, type UserSession } from "./session-list.ts";

const session = (user: string, isLocked: boolean | undefined, name = "1"): UserSession => ({
  session: name,
  user,
  isLocked,
});

/** What a sequence of lists emits, in words. */
function told(...lists: readonly (readonly UserSession[])[]): string[] {
  const words: string[] = [];
  const list = new SessionList((event) =>
    words.push("user" in event ? `${event.kind} ${event.user}` : event.kind),
  );
  for (const each of lists) list.update(each);
  return words;
}

it("tells nothing of what was so at the start", () => {
  expect(told([session("ann", true)], [session("ann", true)])).toEqual([]);
});

it("tells locks, logons and logoffs once each", () => {
  const ann = session("ann", false);
  expect(told([], [ann], [ann], [session("ann", true)], [session("ann", true)], [ann], [])).toEqual(
    ["log-on ann", "lock ann", "unlock ann", "log-off ann"],
  );
});

it("tells both when another person takes over a session, and a session that begins locked", () => {
  expect(told([session("ann", false)], [session("bob", true)])).toEqual([
    "log-off ann",
    "log-on bob",
    "lock bob",
  ]);
});

it("takes a state that the system can't tell for no change", () => {
  expect(told([session("ann", false)], [session("ann", undefined)])).toEqual([]);
});

it("knows whether anybody is locked", () => {
  const list = new SessionList(() => undefined);
  expect(list.isAnyLocked).toBe(undefined);
  list.update([]);
  expect(list.isAnyLocked).toBe(false);
  list.update([session("ann", undefined), session("bob", false, "2")]);
  expect(list.isAnyLocked).toBe(undefined);
  list.update([session("ann", undefined), session("bob", true, "2")]);
  expect(list.isAnyLocked).toBe(true);
});
