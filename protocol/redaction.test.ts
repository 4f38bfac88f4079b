import { expect, it } from "vitest";
import { redactor } from "./redaction.ts";

it("takes out every secret in each of its forms, the longest first", () => {
  const redact = redactor(["pass", 'pass"word', "a b/c", "\ud800xyz"]);
  expect(redact('pass"word pass\\"word pass%22word and pass')).toBe("*** *** *** and ***");
  expect(redact("a%20b%2Fc a b/c")).toBe("*** ***");
  expect(redact("nothing here")).toBe("nothing here");
});

it("leaves alone what is too short to be a secret", () => {
  expect(redactor(["", "a", "abc"])("abc")).toBe("abc");
});
