/** The disk of a virtual machine: Debian with systemd and its kernel, this checkout in /opt/backstay, the unit in place. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));
/** Node needs libatomic. */
const packages = "systemd-sysv,dbus,udev,linux-image-cloud-amd64,libatomic1";
const diskSize = "2G";
const multiUserWants = "etc/systemd/system/multi-user.target.wants";

export interface GuestDisk {
  /** A file system, not a partitioned disk. */
  readonly image: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** What is missing on this machine, for people; empty if nothing is. */
export function missingForGuest(): readonly string[] {
  const programs = {
    mmdebstrap: "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    mke2fs: "e2fsprogs",
  };
  const missing = Object.entries(programs)
    .filter(([program]) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
    .map(([program, name]) => `${program} (apt-get install ${name})`);
  if (process.arch !== "x64") missing.push("an x64 processor");
  if (process.geteuid?.() !== 0) missing.push("the rights of root");
  if (debianRelease() === undefined) missing.push("Debian: the guest gets the host's release");
  return missing;
}

/** Builds it in `folder`, from packages of the host's own mirror. Takes a minute; what its programs say goes to stderr. */
export function buildGuestDisk(folder: string): GuestDisk {
  const root = path.join(folder, "root");
  const leaveOut = ["doc", "locale", "man"].map(
    (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
  );
  const options = ["--quiet", "--variant=minbase", `--include=${packages}`, ...leaveOut];
  run("mmdebstrap", ...options, debianRelease() ?? "", root);
  installCheckout(root);
  const image = path.join(folder, "disk.img");
  run("mke2fs", "-q", "-t", "ext4", "-d", root, image, diskSize);
  return { image, kernel: bootFile(root, "vmlinuz-"), initrd: bootFile(root, "initrd.img-") };
}

function installCheckout(root: string): void {
  const target = path.join(root, "opt/backstay");
  const code = ["agent", "platform", "storage", "protocol", "package.json"];
  for (const name of [...code, ...shippedPackages()])
    cpSync(path.join(checkout, name), path.join(target, name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  for (const program of ["backstay", "backstayd"])
    symlinkSync(`/opt/backstay/agent/bin/${program}`, path.join(root, "usr/bin", program));
  const units = path.join(root, "usr/lib/systemd/system");
  cpSync(path.join(checkout, "installers/linux/backstayd.service"), `${units}/backstayd.service`);
  cpSync(path.join(here, "proof.service"), `${units}/proof.service`);
  cpSync(path.join(here, "proof.sh"), path.join(root, "usr/share/proof/proof.sh"));
  cpSync(path.join(here, "documents.yaml"), path.join(root, "usr/share/proof/documents.yaml"));
  mkdirSync(path.join(root, multiUserWants), { recursive: true });
  for (const unit of ["backstayd.service", "proof.service"])
    symlinkSync(`/usr/lib/systemd/system/${unit}`, path.join(root, multiUserWants, unit));
}

/** Folders of the npm packages that ship, for this system only. */
function shippedPackages(): readonly string[] {
  const lockfile = JSON.parse(readFileSync(path.join(checkout, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lockfile.packages)
    .filter(
      ([name, { dev }]) => name !== "" && dev !== true && existsSync(path.join(checkout, name)),
    )
    .map(([name]) => name);
}

function bootFile(root: string, start: string): string {
  const folder = path.join(root, "boot");
  const name = readdirSync(folder).find((each) => each.startsWith(start));
  if (name === undefined) throw new Error(`no ${start}* in ${folder}`);
  return path.join(folder, name);
}

function debianRelease(): string | undefined {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return /^ID=debian$/m.test(text) ? /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] : undefined;
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
}
