/** How the file system under a path likes to be read: its type, and the disk below it. */
import type { SourceMedium } from "../ports/source-files.ts";
import { type DiskKind, diskKind } from "./block-device.ts";
import type { EntryCalls } from "./entry-calls.ts";
import { currentDirectory } from "./libc.ts";
import { type Mount, readMounts } from "./mount-table.ts";
import { statxDevice, statxMountId } from "./stat-decoder.ts";

/** Made by the kernel at run time: nothing in them outlives the machine, and reading some of it has effects. */
const pseudoTypes: ReadonlySet<string> = new Set([
  "autofs",
  "bdev",
  "binder",
  "binfmt_misc",
  "bpf",
  "cgroup",
  "cgroup2",
  "configfs",
  "cpuset",
  "debugfs",
  "devpts",
  "devtmpfs",
  "efivarfs",
  "functionfs",
  "fusectl",
  "hugetlbfs",
  "mqueue",
  "nfsd",
  "nsfs",
  "pipefs",
  "proc",
  "pstore",
  "resctrl",
  "rpc_pipefs",
  "securityfs",
  "selinuxfs",
  "smackfs",
  "sockfs",
  "sysfs",
  "tracefs",
  "fuse.gvfsd-fuse",
  "fuse.lxcfs",
  "fuse.portal",
]);

const networkTypes: ReadonlySet<string> = new Set([
  "9p",
  "acfs",
  "afs",
  "beegfs",
  "ceph",
  "cifs",
  "coda",
  "glusterfs",
  "gpfs",
  "lustre",
  "ncpfs",
  "nfs",
  "nfs4",
  "orangefs",
  "pvfs2",
  "smb3",
  "smbfs",
]);

/** The sub-type of FUSE file systems that go over a network. */
const networkFuse =
  /^fuse\.(sshfs|s3fs|s3ql|goofys|rclone|gcsfuse|blobfuse2?|glusterfs|ceph|mfs|moosefs|lizardfs|davfs2?|curlftpfs|smbnetfs|juicefs|seaweedfs|hdfs|onedrive|google-drive-ocamlfuse)/;

const memoryTypes: ReadonlySet<string> = new Set(["tmpfs", "ramfs"]);

const readersOf: Readonly<Record<SourceMedium["kind"], number>> = {
  rotating: 1,
  solid: 4,
  network: 8,
  pseudo: 1,
  unknown: 4,
};

/** The system's folders that tell of mounts and disks; tests bring their own. */
export interface MediumSources {
  readonly mounts: readonly Mount[];
  readonly diskKind: (device: string) => DiskKind;
}

const systemSources = (): MediumSources => ({
  mounts: readMounts(),
  diskKind: (device) => diskKind(device),
});

/**
 * The medium of the file system that holds `path`; `unknown` where the system does not tell.
 * Throws FileError if there is no such path.
 */
export function mediumOf(
  path: Uint8Array,
  entries: EntryCalls,
  sources: MediumSources = systemSources(),
): SourceMedium {
  entries.askEntry(currentDirectory, path, new Uint8Array(0));
  const mountId = statxMountId(entries.statx);
  const device = statxDevice(entries.statx);
  const mount =
    sources.mounts.find((each) => each.id === mountId) ??
    sources.mounts.findLast((each) => each.device === device);
  const kind = mount === undefined ? "unknown" : kindOfMount(mount, entries, sources);
  return { kind, readers: readersOf[kind] };
}

/** Kind of a mount by its type, then by the device it is on. */
function kindOfMount(
  mount: Mount,
  entries: EntryCalls,
  sources: MediumSources,
): SourceMedium["kind"] {
  if (pseudoTypes.has(mount.type)) {
    return "pseudo";
  }
  if (networkTypes.has(mount.type) || networkFuse.test(mount.type)) {
    return "network";
  }
  if (memoryTypes.has(mount.type)) {
    return "solid";
  }
  const device = mount.device.startsWith("0:") ? deviceOfSource(mount, entries) : mount.device;
  return device === undefined ? "unknown" : sources.diskKind(device);
}

/** btrfs and FUSE show a device number of their own making: the disk is the one that is named as source. */
function deviceOfSource(mount: Mount, entries: EntryCalls): string | undefined {
  if (!mount.source.startsWith("/")) {
    return undefined;
  }
  return entries.blockDeviceAt(Buffer.from(mount.source));
}
