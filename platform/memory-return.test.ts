import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const module = fileURLToPath(new URL("memory-return.ts", import.meta.url));

it.skipIf(process.platform !== "linux")(
  "leaves the process with less memory than garbage took",
  () => {
    const script = `
    import { returnMemory } from ${JSON.stringify(module)};
    let all = Array.from({ length: 200_000 }, (_, at) => ({ at, text: "x" + at }));
    const full = process.memoryUsage.rss();
    all = undefined;
    returnMemory();
    console.log(full - process.memoryUsage.rss());
  `;
    const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning", "--input-type=module"];
    const freed = execFileSync(process.execPath, [...flags, "-e", script], { encoding: "utf8" });
    expect(Number(freed)).toBeGreaterThan(2 ** 22);
  },
);
