/** Folders where each system wants programs to keep their files. */
import { homedir } from "node:os";
import path from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder for what may be lost at any time: `BACKSTAY_HOME/cache`, or the system's place for caches. It may
 * not exist yet. Undefined if this user has no home and no variable names a place.
 */
export function cacheDirectory(environment: Environment): string | undefined {
  const home = environment["BACKSTAY_HOME"] ?? "";
  if (home !== "") return path.resolve(home, "cache");
  switch (process.platform) {
    case "win32":
      return below(environment["LOCALAPPDATA"], "Backstay", "cache");
    case "darwin":
      return below(userHome(environment), "Library", "Caches", "backstay");
    default:
      return unixCacheDirectory(environment);
  }
}

/**
 * The folder for what people configure: `BACKSTAY_HOME/config`, or the machine's place. A machine has one agent, so
 * this and the next two are the same for every user, whatever variables name places of a user's own.
 */
export function configDirectory(environment: Environment): string {
  return machineDirectory(environment, "config", "/etc/backstay");
}

/** The folder for what the agent must not lose: `BACKSTAY_HOME/state`, or the machine's place. */
export function stateDirectory(environment: Environment): string {
  return machineDirectory(environment, "state", "/var/lib/backstay");
}

/** The folder for the files of the daemon's log, `NAME.log` and `NAME.log.N`, where no journal of the system takes it. */
export function logDirectory(environment: Environment): string {
  return path.join(stateDirectory(environment), "log");
}

/** The folder for what lives as long as the agent runs, its socket above all: `BACKSTAY_HOME/run`, or the machine's place. */
export function runtimeDirectory(environment: Environment): string {
  return machineDirectory(environment, "run", "/run/backstay");
}

function machineDirectory(environment: Environment, name: string, onLinux: string): string {
  const home = environment["BACKSTAY_HOME"] ?? "";
  if (home !== "") return path.resolve(home, name);
  switch (process.platform) {
    case "win32":
      return (
        below(environment["ProgramData"], "Backstay", name) ?? `C:\\ProgramData\\Backstay\\${name}`
      );
    case "darwin":
      return path.join("/Library/Application Support/Backstay", name);
    default:
      return onLinux;
  }
}

function unixCacheDirectory(environment: Environment): string | undefined {
  const xdg = below(environment["XDG_CACHE_HOME"], "backstay");
  if (xdg !== undefined) return xdg;
  if (process.getuid?.() === 0) return "/var/cache/backstay";
  return below(userHome(environment), ".cache", "backstay");
}

function userHome(environment: Environment): string {
  const home = environment["HOME"] ?? "";
  if (home !== "") return home;
  try {
    return homedir();
  } catch {
    // A user without an entry in the user database has no home.
    return "";
  }
}

/** A relative base is not trusted: it would mean another folder in each working directory. */
function below(base: string | undefined, ...names: readonly string[]): string | undefined {
  return base !== undefined && path.isAbsolute(base) ? path.join(base, ...names) : undefined;
}
