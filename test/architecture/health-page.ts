/** The page docs/health.md, made from the catalogue of health conditions. */
import { type ConditionSpec, healthCatalog } from "../../protocol/health-catalog.ts";

const severityTexts: Record<ConditionSpec["severity"], string> = {
  info: "information, which does not count against the agent's health",
  warning: "warning",
  error: "error",
};

const introduction = `# Health

What \`backstay status\` names under its headline, what metrics count, and what messages tell: conditions, each with a
code that is never renamed and never reused. A condition comes and goes by what is so, not by time; the day since which it
is so outlasts restarts of the daemon. The level of the whole agent is that of its worst condition, and the exit code of
\`backstay status\` follows it.

Codes of failed commands and sessions are on the page [errors](errors.md).

This page is made from \`protocol/health-catalog.ts\` by \`node_modules/.bin/node test/architecture/write-pages.ts\`;
a test keeps the two the same.
`;

/** The whole text of the page, with codes in the order of the catalogue. */
export function healthPage(): string {
  const sections = Object.entries<ConditionSpec>(healthCatalog).map(([code, spec]) =>
    [
      `## ${code}\n\n${spec.title}\n`,
      `- What to do: ${spec.remedy}`,
      `- Severity: ${severityTexts[spec.severity]}`,
      `- Shown: ${shown(spec.visibleAfterMs)}`,
      `- Goes away when ${spec.endsWhen}\n`,
    ].join("\n"),
  );
  return [introduction, ...sections].join("\n");
}

function shown(afterMs: number): string {
  const minutes = afterMs / 60_000;
  return minutes === 0 ? "at once" : `after ${minutes === 1 ? "a minute" : `${minutes} minutes`}`;
}
