/** What every keeper of secrets does, as tests. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { type SecretKeeper, secretLimits } from "./secret-keeper.ts";

export interface OpenedSecretKeeper {
  /** Keeps nothing yet. */
  readonly keeper: SecretKeeper;
  /** Another one on the same secrets, as after a restart. */
  reopen(): Promise<SecretKeeper>;
}

const awkwardNames = ["", "UPPER", "a/b", "..", ".", "-a", "a.", "a\u0000b", "é", "a".repeat(65)];

/** Declares the suite for one adapter. `open` makes a keeper of secrets of its own for each test. */
export function describeSecretKeeper(name: string, open: () => Promise<OpenedSecretKeeper>): void {
  describe(`${name} as a keeper of secrets`, () => {
    it("gives back each byte, after a restart too", async () => {
      const { keeper, reopen } = await open();
      const secrets = new Map<string, Uint8Array>([
        ["a", Uint8Array.of(0)],
        ["one.two_three-4", Buffer.from(" pässword\n\0 \r\n")],
        ["z".repeat(64), randomBytes(secretLimits.bytesMax)],
      ]);
      for (const [secretName, value] of secrets) await keeper.write(secretName, value);
      const again = await reopen();
      expect(await again.names()).toEqual([...secrets.keys()].sort());
      for (const [secretName, value] of secrets)
        expect(Buffer.compare(await again.read(secretName), value)).toBe(0);
    });

    it("replaces and removes", async () => {
      const { keeper } = await open();
      await keeper.write("it", Buffer.from("first, and longer"));
      await keeper.write("it", Buffer.from("second"));
      await keeper.write("other", Buffer.from("stays"));
      expect(Buffer.from(await keeper.read("it")).toString()).toBe("second");
      await keeper.remove("it");
      expect(await keeper.names()).toEqual(["other"]);
      expect(await codeOf(keeper.read("it"))).toBe("SECRET_MISSING");
      expect(await codeOf(keeper.remove("it"))).toBe("SECRET_MISSING");
    });

    it("has nothing before the first secret", async () => {
      const { keeper } = await open();
      expect(await keeper.names()).toEqual([]);
      expect(await codeOf(keeper.read("it"))).toBe("SECRET_MISSING");
    });

    it("takes no name that leads elsewhere, and no value of a size that is none", async () => {
      const { keeper } = await open();
      for (const awkward of awkwardNames) {
        expect(await codeOf(keeper.write(awkward, Uint8Array.of(1))), awkward).toBe(
          "SECRET_INVALID",
        );
        expect(await codeOf(keeper.read(awkward)), awkward).toBe("SECRET_INVALID");
        expect(await codeOf(keeper.remove(awkward)), awkward).toBe("SECRET_INVALID");
      }
      for (const value of [new Uint8Array(0), new Uint8Array(secretLimits.bytesMax + 1)])
        expect(await codeOf(keeper.write("it", value))).toBe("SECRET_INVALID");
      expect(await keeper.names()).toEqual([]);
    });

    it("gives an old or a new value to who reads while it is replaced", async () => {
      const { keeper } = await open();
      const values = ["0", "1"].map((digit) => digit.repeat(20_000));
      await keeper.write("it", Buffer.from(values[0]));
      let isWriting = true;
      const writing = (async () => {
        for (const value of [...values, ...values]) await keeper.write("it", Buffer.from(value));
        isWriting = false;
      })();
      while (isWriting) expect(values).toContain(Buffer.from(await keeper.read("it")).toString());
      await writing;
    });
  });
}

/** The code that a call is refused with; undefined if it succeeds. */
async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return isBackstayError(error) ? error.code : String(error);
  }
}
