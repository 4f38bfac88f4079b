import { expect, it } from "vitest";
import { eachGround } from "../../test/server/test-ground.ts";

eachGround("the audit log", (ground) => {
  const entry = (target: string) => ({
    tenantId: "t",
    actor: "token:x",
    action: "tenant.create",
    target,
    details: { name: target },
  });

  it("chains what is recorded at once, in transactions and outside, with no gap", async () => {
    const { audit, database } = ground();
    await Promise.all(
      Array.from({ length: 30 }, async (_, number) => {
        if (number % 2 === 0) return await audit.record(database, entry(`${number}`));
        await database
          .transaction()
          .execute(async (transaction) => await audit.record(transaction, entry(`${number}`)));
      }),
    );
    expect(await audit.verify(database)).toEqual({ entries: 30, brokenAt: undefined });
    const rows = await database.selectFrom("audit").select("target").execute();
    expect(new Set(rows.map(({ target }) => target)).size).toBe(30);
  });

  it("has no entry of a change that was not made", async () => {
    const { audit, database } = ground();
    await audit.record(database, entry("a"));
    const failing = database.transaction().execute(async (transaction) => {
      await audit.record(transaction, entry("b"));
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await audit.record(database, entry("c"));
    expect(await audit.verify(database)).toEqual({ entries: 2, brokenAt: undefined });
  });

  it("shows an entry that was altered, and one that was taken out", async () => {
    const { audit, database } = ground();
    for (const target of ["a", "b", "c", "d"]) await audit.record(database, entry(target));
    const altered = database.updateTable("audit").set({ actor: "token:y" });
    await altered.where("sequence", "=", 3).execute();
    expect(await audit.verify(database)).toEqual({ entries: 2, brokenAt: 3 });
    await database.deleteFrom("audit").where("sequence", "=", 2).execute();
    expect(await audit.verify(database)).toEqual({ entries: 1, brokenAt: 2 });
  });
});
