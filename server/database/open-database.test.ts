import { sql } from "kysely";
import { afterEach, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { eachDatabase } from "../../test/server/each-database.ts";
import { type OpenDatabase, openDatabase } from "./open-database.ts";

eachDatabase("the database of the server", (fresh) => {
  const opened: OpenDatabase[] = [];
  const open = async (address: string): Promise<OpenDatabase> => {
    const database = await openDatabase(address);
    opened.push(database);
    return database;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(async ({ close }) => await close()));
  });
  const tenant = (name: string) => ({
    id: `id of ${name}`,
    name,
    quotas: "{}",
    lease_until_ms: null,
    recovery_key: null,
    revision: 1,
    created_ms: 1_800_000_000_123,
    version: 1,
  });

  it("keeps what was written over closing and opening, numbers as numbers", async () => {
    const address = await fresh();
    const first = await openDatabase(address);
    await first.database.insertInto("tenants").values(tenant("acme")).execute();
    await first.close();
    const { database } = await open(address);
    const rows = await database.selectFrom("tenants").selectAll().execute();
    expect(rows).toEqual([tenant("acme")]);
    const { count, sum } = await database
      .selectFrom("tenants")
      .select(({ fn }) => [
        fn.countAll<number>().as("count"),
        fn.sum<number>("created_ms").as("sum"),
      ])
      .executeTakeFirstOrThrow();
    expect({ count, sum }).toEqual({ count: 1, sum: 1_800_000_000_123 });
  });

  it("is made once when several servers start together on PostgreSQL, one after the other on SQLite", async () => {
    const address = await fresh();
    if (address.startsWith("postgres:"))
      await Promise.all([open(address), open(address), open(address), open(address)]);
    else for (let number = 0; number < 3; number++) await open(address);
    const { rows } = await sql<{ number: number }>`SELECT number FROM migrations`.execute(
      opened[0]?.database as never,
    );
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_row, at) => at + 1));
  });

  it("orders text by its bytes", async () => {
    const { database } = await open(await fresh());
    for (const name of ["b", "a", "B", "ä", "_", "Z"])
      await database.insertInto("tenants").values(tenant(name)).execute();
    const rows = await database.selectFrom("tenants").select("name").orderBy("name").execute();
    expect(rows.map(({ name }) => name)).toEqual(["B", "Z", "_", "a", "b", "ä"]);
  });

  it("refuses a second of the same name and a row of a tenant that is not there", async () => {
    const { database } = await open(await fresh());
    await database.insertInto("tenants").values(tenant("acme")).execute();
    const again = database
      .insertInto("tenants")
      .values({ ...tenant("acme"), id: "other" })
      .execute();
    await expect(again).rejects.toThrow(/unique/i);
    const group = database
      .insertInto("groups")
      .values({
        id: "g",
        tenant_id: "nobody",
        name: "g",
        kind: "static",
        selector: "{}",
        created_ms: 1,
        version: 1,
      })
      .execute();
    await expect(group).rejects.toThrow(/foreign key/i);
  });

  it("leaves nothing of a transaction that fails", async () => {
    const { database } = await open(await fresh());
    const failing = database.transaction().execute(async (transaction) => {
      await transaction.insertInto("tenants").values(tenant("acme")).execute();
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await database.selectFrom("tenants").selectAll().execute()).toEqual([]);
  });

  it("is left alone if a newer server has worked on it, or another program", async () => {
    const newer = await fresh();
    const first = await open(newer);
    await sql`INSERT INTO migrations VALUES (1000, 'later', 'x')`.execute(first.database);
    await expect(openDatabase(newer)).rejects.toSatisfy((error) =>
      isBackstayError(error, "DATABASE_NEWER"),
    );
    const foreign = await fresh();
    const second = await open(foreign);
    await sql`UPDATE migrations SET checksum = 'x'`.execute(second.database);
    await expect(openDatabase(foreign)).rejects.toSatisfy((error) =>
      isBackstayError(error, "DATABASE_FOREIGN"),
    );
  });
});

it("says that a database is out of reach without telling its password", async () => {
  for (const address of ["postgres://u:hunter2@127.0.0.1:1/x", "/nowhere/at/all/server.db"]) {
    const error: unknown = await openDatabase(address).catch((reason: unknown) => reason);
    expect(isBackstayError(error, "DATABASE_UNREACHABLE")).toBe(true);
    expect(String(error)).not.toContain("hunter2");
  }
});
