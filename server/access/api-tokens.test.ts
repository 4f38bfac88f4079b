import { expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import { addTenant } from "../../test/server/fleet-rows.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import type { Role } from "../http/route-access.ts";
import { ApiTokens, type NewApiToken, type Principal } from "./api-tokens.ts";
import { localAdminToken, makeFirstAdmin } from "./first-admin.ts";

const refusal = (code: ErrorCode) => expect.toSatisfy((error) => isBackstayError(error, code));
const everybody = { after: null, limit: 100 };

eachGround("API tokens", (ground) => {
  const root: Principal = { actor: "server", role: "admin", scope: null };
  const wanted = (more: Partial<NewApiToken> = {}): NewApiToken => ({
    name: "x",
    tenantId: null,
    role: "operator",
    expiresMs: null,
    ...more,
  });

  it("say who holds them, until they are revoked", async () => {
    const tokens = new ApiTokens(ground());
    const { token, text } = await tokens.create(root, wanted());
    const holder = { actor: `token:${token.id}`, role: "operator", scope: null };
    expect(await tokens.principalOf(text)).toEqual(holder);
    expect((await tokens.revoke(root, token.id, 1)).revokedMs).toBe(ground().now());
    expect(await tokens.principalOf(text)).toBeUndefined();
    await expect(tokens.revoke(root, token.id, 1)).rejects.toEqual(refusal("RESOURCE_CHANGED"));
    expect((await tokens.revoke(root, token.id, 2)).version).toBe(2);
  });

  it("end when they are to end", async () => {
    const tokens = new ApiTokens(ground());
    const expiresMs = ground().now() + 1000;
    const { text } = await tokens.create(root, wanted({ expiresMs }));
    ground().advance(999);
    expect(await tokens.principalOf(text)).toBeDefined();
    ground().advance(1);
    expect(await tokens.principalOf(text)).toBeUndefined();
    await expect(tokens.create(root, wanted({ expiresMs }))).rejects.toEqual(
      refusal("RESOURCE_INVALID"),
    );
  });

  it("are worth nothing if one character is another", async () => {
    const tokens = new ApiTokens(ground());
    const { text } = await tokens.create(root, wanted());
    const other = (at: number): string => (text[at] === "0" ? "1" : "0");
    for (let at = 0; at < text.length - 1; at++)
      expect(
        await tokens.principalOf(text.slice(0, at) + other(at) + text.slice(at + 1)),
      ).toBeUndefined();
    for (const none of ["", "bks_", `${text}a`, text.slice(0, -1), ` ${text}`])
      expect(await tokens.principalOf(none)).toBeUndefined();
  });

  it("are kept as a hash, and their making is in the audit log without them", async () => {
    const tokens = new ApiTokens(ground());
    const { text } = await tokens.create(root, wanted());
    const { database } = ground();
    const rows = [
      await database.selectFrom("api_tokens").selectAll().execute(),
      await database.selectFrom("audit").selectAll().execute(),
    ];
    expect(JSON.stringify(rows)).toContain("api-token.create");
    expect(JSON.stringify(rows)).not.toContain(text.split("_").slice(2).join("_"));
  });

  it("give nobody more than the maker has", async () => {
    await addTenant(ground(), { id: "a" });
    await addTenant(ground(), { id: "b" });
    const tokens = new ApiTokens(ground());
    const maker = (role: Role, scope: string | null): Principal => ({
      actor: "token:m",
      role,
      scope,
    });
    const tries: [Principal, Partial<NewApiToken>, ErrorCode | undefined][] = [
      [maker("admin", "a"), { tenantId: "a", role: "admin" }, undefined],
      [maker("admin", "a"), { tenantId: "b" }, "RESOURCE_UNKNOWN"],
      [maker("admin", "a"), { tenantId: null }, "RESOURCE_INVALID"],
      [maker("operator", null), { role: "admin" }, "RESOURCE_INVALID"],
      [maker("operator", null), { tenantId: "b", role: "read-only" }, undefined],
      [root, { tenantId: "nobody" }, "RESOURCE_UNKNOWN"],
    ];
    for (const [who, what, code] of tries) {
      const made = tokens.create(who, wanted(what));
      if (code === undefined) expect((await made).token.tenantId).toBe(what.tenantId);
      else await expect(made).rejects.toEqual(refusal(code));
    }
  });

  it("of another tenant are not there", async () => {
    await addTenant(ground(), { id: "a" });
    await addTenant(ground(), { id: "b" });
    const tokens = new ApiTokens(ground());
    const { token } = await tokens.create(root, wanted({ tenantId: "a" }));
    expect(await tokens.list("b", everybody)).toEqual([]);
    expect(await tokens.list("a", everybody)).toEqual([token]);
    await expect(tokens.get("b", token.id)).rejects.toEqual(refusal("RESOURCE_UNKNOWN"));
    const other: Principal = { actor: "token:x", role: "admin", scope: "b" };
    await expect(tokens.revoke(other, token.id, 1)).rejects.toEqual(refusal("RESOURCE_UNKNOWN"));
  });

  it("note their use, but not each", async () => {
    const tokens = new ApiTokens(ground());
    const { token, text } = await tokens.create(root, wanted());
    const firstMs = ground().now();
    await tokens.principalOf(text);
    ground().advance(59_000);
    await tokens.principalOf(text);
    expect((await tokens.get(null, token.id)).lastUsedMs).toBe(firstMs);
    ground().advance(1000);
    await tokens.principalOf(text);
    expect((await tokens.get(null, token.id)).lastUsedMs).toBe(firstMs + 60_000);
  });

  it("are made by the server itself once for the first administrator, and as needed for its own machine", async () => {
    const tokens = new ApiTokens(ground());
    const made = await Promise.all(
      [1, 2, 3].map(async () => await makeFirstAdmin(ground(), tokens)),
    );
    expect(made.filter((text) => text !== undefined)).toHaveLength(1);
    const local = await localAdminToken(ground(), tokens, undefined);
    expect(await localAdminToken(ground(), tokens, local)).toBe(local);
    const principal = await tokens.principalOf(local);
    expect(principal).toMatchObject({ role: "admin", scope: null });
    await tokens.revoke(root, principal?.actor.slice("token:".length) ?? "", 1);
    const next = await localAdminToken(ground(), tokens, local);
    expect(next).not.toBe(local);
    expect(await tokens.principalOf(next)).toBeDefined();
  });
});
