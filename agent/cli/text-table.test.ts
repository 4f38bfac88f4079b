/** Tables of text. */
import { expect, it } from "vitest";
import { tableLines } from "./text-table.ts";

it("columns are as wide as their widest line, cells may have several lines", () => {
  const columns = [{ title: "ID" }, { title: "Paths" }, { title: "Size", align: "right" as const }];
  const rows = [
    [["1"], ["/etc", "/srv/data"], ["7 B"]],
    [["22"], [], ["1.000 KiB"]],
  ];
  expect(tableLines(columns, rows)).toEqual([
    "ID  Paths           Size",
    "------------------------",
    "1   /etc             7 B",
    "    /srv/data",
    "22             1.000 KiB",
    "------------------------",
  ]);
});
