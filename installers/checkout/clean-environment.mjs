/** Variables that change how a Node process starts; none of them may reach the pinned Node from outside. */
const startVariables = [
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_COMPILE_CACHE",
  "NODE_PENDING_DEPRECATION",
  "NODE_PRESERVE_SYMLINKS",
  "NODE_PRESERVE_SYMLINKS_MAIN",
  "NODE_REDIRECT_WARNINGS",
  "NODE_REPL_EXTERNAL_MODULE",
  "NODE_V8_COVERAGE",
  "OPENSSL_CONF",
  "LD_PRELOAD",
  "LD_LIBRARY_PATH",
  "DYLD_INSERT_LIBRARIES",
  "DYLD_LIBRARY_PATH",
];

/** A copy of `environment` without what changes how Node starts; NODE_EXTRA_CA_CERTS stays, private CAs need it. */
export function cleanEnvironment(environment) {
  const clean = { ...environment };
  for (const name of startVariables) delete clean[name];
  return clean;
}
