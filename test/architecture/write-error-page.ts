/** Writes docs/errors.md anew from the error catalogue. Run it after a change of the catalogue. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { checkoutRoot } from "./checkout.ts";
import { errorPage } from "./error-page.ts";

writeFileSync(path.join(checkoutRoot, "docs", "errors.md"), errorPage());
