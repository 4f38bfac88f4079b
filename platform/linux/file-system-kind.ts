/** What the type of a Linux file system tells about it. */

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

/** Made by the kernel at run time, such as `proc`. */
export function isPseudoType(type: string): boolean {
  return pseudoTypes.has(type);
}

/** Reached over a network. */
export function isNetworkType(type: string): boolean {
  return networkTypes.has(type) || networkFuse.test(type);
}

/** Lives in memory and is gone after a restart. */
export function isMemoryType(type: string): boolean {
  return memoryTypes.has(type);
}
