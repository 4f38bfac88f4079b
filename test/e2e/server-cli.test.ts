/** The program `backstay-server` as people start it: one server process, and commands in processes of their own. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ServerScene, serverProgram } from "../fleet/server-scene.ts";

let server: ServerScene;
let tokenFile = "";

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with these variables and no others but PATH. */
async function run(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Ended> {
  const env = { PATH: process.env["PATH"] ?? "", TZ: "UTC", ...variables };
  return await new Promise((resolve) => {
    execFile(serverProgram, args, { env }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

beforeAll(async () => {
  server = await ServerScene.start();
  tokenFile = path.join(server.folder, "token");
  writeFileSync(tokenFile, `${server.access().token}\n`, { mode: 0o600 });
});
afterAll(async () => {
  await server.remove();
});

describe("backstay-server", () => {
  it("does what people ask, on the server's machine and from elsewhere", async () => {
    const made = await server.cli(["tenant", "create", "acme", "--agents-max", "5"]);
    expect(made).toMatchObject({ exitCode: 0, stderr: "" });
    expect(made.stdout).toMatch(/^tenant acme made: [\w-]+\n$/);
    const { pin } = server.access();
    const elsewhere = { BACKSTAY_SERVER: server.url(), BACKSTAY_SERVER_TOKEN_FILE: tokenFile };
    const shown = await run(["--json", "tenant", "show", "acme", "--pin", pin], elsewhere);
    expect(JSON.parse(shown.stdout)).toMatchObject({ name: "acme", quotas: { agentsMax: 5 } });
    const status = await server.cli(["status"]);
    expect(status.stdout).toContain(pin);
  });

  it("prints a new token alone, so that it can go into a file", async () => {
    const { stdout, stderr } = await server.cli(["token", "create", "office"]);
    expect(stdout).toMatch(/^bk1_[\w-]+\n$/);
    expect(stderr).toContain("shown this once");
  });

  it("applies what it exported", async () => {
    const repository = "kind: repository\nname: main\nroutes: [{ kind: gateway }]\n";
    expect((await server.cli(["apply", "-f", "-"], repository)).stdout).toBe(
      "repository main: made\n",
    );
    const exported = await server.succeed(["export"]);
    const again = await server.succeed(["apply", "-f", "-"], exported);
    expect(
      again.split("\n").filter((line) => line !== "" && !line.endsWith(": unchanged")),
    ).toEqual([]);
    const broken = await server.cli(["apply", "-f", "-"], "kind: tenant\nnam: x\n");
    expect(broken).toMatchObject({ exitCode: 1, stdout: "" });
    expect(broken.stderr).toContain("standard input, line 2: nam is not a known field");
  });

  it("tells failures to programs as one object", async () => {
    const { exitCode, stdout, stderr } = await server.cli(["group", "show", "none", "--json"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "RESOURCE_UNKNOWN", context: { group: "none" }, exitCode: 1 },
    });
  });

  it("says what keeps it from its server", async () => {
    const other = createServer((_, response) => response.end("<html>hello</html>"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const wrongToken = path.join(server.folder, "wrong-token");
    writeFileSync(wrongToken, "bks_0123_4567\n");
    const ask = async (args: readonly string[], variables = {}): Promise<string> => {
      const { exitCode, stderr } = await run(["tenant", "list", "--json", ...args], variables);
      expect(exitCode).toBe(1);
      return (JSON.parse(stderr) as { error: { code: string } }).error.code;
    };
    const to = (url: string, file = tokenFile): string[] => ["--server", url, "--token-file", file];
    const otherPin = `sha256/${"A".repeat(43)}`;
    try {
      expect(await ask([])).toBe("SERVER_ACCESS");
      expect(await ask(["--data", path.join(server.folder, "nowhere")])).toBe("SERVER_ACCESS");
      expect(await ask(to(`http://127.0.0.1:${port}`))).toBe("SERVER_ANSWER");
      expect(await ask(to(server.url()))).toBe("SERVER_UNTRUSTED");
      expect(await ask([...to(server.url()), "--pin", otherPin])).toBe("SERVER_UNTRUSTED");
      const pinned = [...to(server.url(), wrongToken), "--pin", server.access().pin];
      expect(await ask(pinned)).toBe("SERVER_REFUSED");
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    expect(await ask(to(`http://127.0.0.1:${port}`))).toBe("SERVER_UNREACHABLE");
  });

  it("keeps the way in of the server's machine to the server's user", () => {
    const page = readFileSync(path.join(server.data(), "local-access.json"), "utf8");
    expect(JSON.parse(page)).toMatchObject({ url: server.url(), pin: server.access().pin });
  });
});
