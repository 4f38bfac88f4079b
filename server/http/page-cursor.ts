/** Long lists in parts: `?limit=…&cursor=…`, answered with `nextCursor`. What a cursor holds is nobody's business. */
import { z } from "zod";
import type { Page } from "../ground/resource-access.ts";
import { Problem } from "./problem.ts";

const limitMax = 1000;
const limitDefault = 100;

/** For `querystring` schemas. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(limitMax).default(limitDefault),
  cursor: z.string().max(500).optional(),
});

/** Cursors are this and the key of the last item, as base64url. */
const mark = "c1:";

/** The part of the list that a query asks for. Problem cursor-invalid. */
export function pageOf({ limit, cursor }: z.output<typeof pageQuery>): Page {
  return { limit, after: cursor === undefined ? null : keyOf(cursor) };
}

/** The answer to `page`: `keyOfItem` is what the list is ordered by, the id if not said otherwise. */
export function pageAnswer<Item extends { readonly id: string }>(
  page: Page,
  items: readonly Item[],
  keyOfItem: (item: Item) => string = ({ id }) => id,
): { items: Item[]; nextCursor: string | null } {
  const last = items.length < page.limit ? undefined : items.at(-1);
  return { items: [...items], nextCursor: last === undefined ? null : cursorOf(keyOfItem(last)) };
}

function cursorOf(key: string): string {
  return Buffer.from(mark + key).toString("base64url");
}

function keyOf(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  const key = text.slice(mark.length);
  if (!text.startsWith(mark) || key.includes("\0") || cursorOf(key) !== cursor)
    throw new Problem({
      status: 400,
      code: "cursor-invalid",
      title: "The cursor is none that this server has given.",
    });
  return key;
}
