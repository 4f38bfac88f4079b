/** Failures by code: commands that ask a management server. */
import type { ErrorSpec } from "./error-spec.ts";

export const remoteErrors = {
  SERVER_UNREACHABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "The management server can't be reached.",
    remedy:
      "See that it runs, and that --server (or --data, on its own machine) names it. Behind a proxy of your network, set HTTPS_PROXY.",
  },
  SERVER_UNTRUSTED: {
    kind: "permanent",
    exitCode: 1,
    title: "What answers there shows a certificate that this command does not trust.",
    remedy:
      "Give its pin with --pin as `backstay-server status` shows it on the server's own machine, or use a certificate of a known authority.",
  },
  SERVER_REFUSED: {
    kind: "permanent",
    exitCode: 1,
    title: "The management server refuses this.",
    remedy:
      "Its reason is named here; /openapi.json of the server and docs/management-api.md tell more.",
  },
  SERVER_ANSWER: {
    kind: "permanent",
    exitCode: 1,
    title: "What answered is no management server that this command understands.",
    remedy: "See that --server names the server itself, and that both are of the same version.",
  },
  SERVER_ACCESS: {
    kind: "permanent",
    exitCode: 1,
    title: "It is not known how to reach the management server.",
    remedy:
      "On its own machine give --data DIR as with `serve`; from elsewhere --server URL with --token-file FILE, or set BACKSTAY_SERVER and BACKSTAY_SERVER_TOKEN_FILE.",
  },
  DECLARATION_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "What is to be applied is not written as it should be, so nothing was changed.",
    remedy: "Correct the named place; docs/server-cli.md shows each kind of document.",
  },
} as const satisfies Record<string, ErrorSpec>;
