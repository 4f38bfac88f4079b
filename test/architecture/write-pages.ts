/** Writes anew what is made from code: docs/errors.md, and the table of layers in docs/architecture.md. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { checkoutRoot, readText } from "./checkout.ts";
import { errorPage } from "./error-page.ts";
import { layerTable } from "./layers.ts";

function write(file: string, text: string): void {
  writeFileSync(path.join(checkoutRoot, file), text);
}

write("docs/errors.md", errorPage());
const page = readText("docs/architecture.md");
write("docs/architecture.md", page.replace(/^\| layer \|[\s\S]*?(?=\n\n)/m, layerTable()));
