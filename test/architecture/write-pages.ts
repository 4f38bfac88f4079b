/**
 * Writes anew what is made from code: docs/errors.md, docs/health.md, docs/policy.schema.json, and the table of layers in
 * docs/architecture.md.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { checkoutRoot, readText } from "./checkout.ts";
import { errorPage } from "./error-page.ts";
import { healthPage } from "./health-page.ts";
import { layerTable } from "./layers.ts";
import { policySchemaText } from "./policy-schema.ts";

function write(file: string, text: string): void {
  writeFileSync(path.join(checkoutRoot, file), text);
}

write("docs/errors.md", errorPage());
write("docs/health.md", healthPage());
write("docs/policy.schema.json", policySchemaText());
const page = readText("docs/architecture.md");
write("docs/architecture.md", page.replace(/^\| layer \|[\s\S]*?(?=\n\n)/m, layerTable()));
