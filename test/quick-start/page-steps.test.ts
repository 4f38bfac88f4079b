import { expect, it } from "vitest";
import { pageSteps } from "./page-steps.ts";

it("takes the blocks that name a place, in order, as they stand there", () => {
  const page =
    "# a\n```sh server\none\n\n two \\\n```\ntext\n```sh\nnot this\n```\n```yaml x\nnor this\n```\n```sh machine\nthree\n```\n";
  expect(pageSteps(page)).toEqual([
    { place: "server", commands: "one\n\n two \\\n", line: 2 },
    { place: "machine", commands: "three\n", line: 14 },
  ]);
});

it("names a block that does not end", () => {
  expect(() => pageSteps("```sh a\nx\n```\n```sh b\ny\n")).toThrow("line 4");
});
