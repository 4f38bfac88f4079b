/** The environment of the programs that we start: by name, so that no secret of ours ever gets there. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** What programs need to find themselves and to speak the user's language. */
const everywhere = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TMPDIR",
  "TEMP",
  "TMP",
  "SystemRoot",
  "SystemDrive",
  "windir",
  "ComSpec",
  "PATHEXT",
  "ProgramData",
  "ProgramFiles",
  "USERPROFILE",
  "LOCALAPPDATA",
  "APPDATA",
];

/** What the engine needs beyond that: where it keeps things, how it gets out, whom it trusts. */
const forEngine = [
  "BACKSTAY_HOME",
  "XDG_CACHE_HOME",
  "NODE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

export function scriptEnvironment(
  given: Environment,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...picked(given, everywhere), ...variables };
}

export function engineEnvironment(given: Environment): Record<string, string> {
  return picked(given, [...everywhere, ...forEngine]);
}

function picked(given: Environment, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && (names.includes(name) || name.startsWith("LC_")))
      found[name] = value;
  return found;
}
