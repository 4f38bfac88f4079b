import Database from "better-sqlite3";
import { afterEach, expect, it } from "vitest";
import { withKeptStatements } from "./kept-statements.ts";

const database = new Database(":memory:");
afterEach(() => database.exec("DROP TABLE IF EXISTS some"));

it("compiles a statement once, but not while its rows are being read", () => {
  database.exec("CREATE TABLE some (id INTEGER)");
  const source = withKeptStatements(database);
  source.prepare("INSERT INTO some VALUES (?), (?)").run([1, 2]);
  const select = source.prepare("SELECT id FROM some ORDER BY id");
  expect(source.prepare("SELECT id FROM some ORDER BY id")).toBe(select);
  const rows = select.iterate();
  expect(rows.next().value).toEqual({ id: 1 });
  const other = source.prepare("SELECT id FROM some ORDER BY id");
  expect(other).not.toBe(select);
  expect(other.all()).toEqual([{ id: 1 }, { id: 2 }]);
  expect([...rows]).toEqual([{ id: 2 }]);
  expect(source.prepare("SELECT id FROM some ORDER BY id").all()).toHaveLength(2);
});

it("sees columns that came after a statement was compiled", () => {
  database.exec("CREATE TABLE some (id INTEGER)");
  const source = withKeptStatements(database);
  source.prepare("INSERT INTO some (id) VALUES (?)").run([1]);
  expect(source.prepare("SELECT * FROM some").all()).toEqual([{ id: 1 }]);
  database.exec("ALTER TABLE some ADD COLUMN name TEXT");
  expect(source.prepare("SELECT * FROM some").all()).toEqual([{ id: 1, name: null }]);
});

it("forgets the oldest of very many", () => {
  const source = withKeptStatements(database);
  const first = source.prepare("SELECT 0");
  for (let number = 1; number <= 500; number += 1) source.prepare(`SELECT ${number}`);
  expect(source.prepare("SELECT 0")).not.toBe(first);
});
