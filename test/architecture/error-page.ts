/** The page docs/errors.md, made from the error catalogue. */
import { errorCatalog } from "../../protocol/error-catalog.ts";
import type { ErrorSpec } from "../../protocol/errors/error-spec.ts";

const kindTexts: Record<ErrorSpec["kind"], string> = {
  temporary: "temporary: the same call may succeed later",
  permanent: "permanent: somebody must act",
  bug: "bug: Backstay is wrong",
};

const introduction = `# Errors

Every failure that Backstay reports has a code. Codes are never renamed and never reused, so scripts may rely on them;
texts may change. The command line shows the title, the facts of the case and the remedy; with \`--json\` the code too.

This page is made from \`protocol/error-catalog.ts\` by \`node_modules/.bin/node test/architecture/write-pages.ts\`;
a test keeps the two the same.

Exit codes of the command line: 0 done, 1 failed, 3 finished but some source data could not be read, 10 no repository,
11 locked, 12 wrong password, 130 interrupted.
`;

/** The whole text of the page, with codes in the order of the catalogue. */
export function errorPage(): string {
  const sections = Object.entries<ErrorSpec>(errorCatalog).map(
    ([code, spec]) =>
      `## ${code}\n\n${spec.title}\n\n- What to do: ${spec.remedy}\n- Kind: ${kindTexts[spec.kind]}\n- Exit code: ${spec.exitCode}\n`,
  );
  return [introduction, ...sections].join("\n");
}
