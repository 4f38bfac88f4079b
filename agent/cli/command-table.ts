/** All commands, in the order in which help lists them. Each is loaded only when it is asked for. */
import type { CommandEntry } from "./command.ts";

export const commandTable: readonly CommandEntry[] = [
  {
    name: "init",
    summary: "create a repository",
    load: async () => (await import("./command-init.ts")).initCommand,
  },
  {
    name: "backup",
    summary: "back up files and folders into a new snapshot",
    load: async () => (await import("./command-backup.ts")).backupCommand,
  },
  {
    name: "snapshots",
    summary: "list the snapshots",
    load: async () => (await import("./command-snapshots.ts")).snapshotsCommand,
  },
  {
    name: "ls",
    summary: "list what is in a snapshot",
    load: async () => (await import("./command-ls.ts")).lsCommand,
  },
  {
    name: "find",
    summary: "find files by name, or where blobs are used, in all snapshots",
    load: async () => (await import("./command-find.ts")).findCommand,
  },
  {
    name: "diff",
    summary: "show what differs between two snapshots",
    load: async () => (await import("./command-diff.ts")).diffCommand,
  },
  {
    name: "stats",
    summary: "count files, blobs and bytes of snapshots",
    load: async () => (await import("./command-stats.ts")).statsCommand,
  },
  {
    name: "restore",
    summary: "bring back a snapshot, or a part of it",
    load: async () => (await import("./command-restore.ts")).restoreCommand,
  },
  {
    name: "dump",
    summary: "write a file of a snapshot, or a folder as tar, to stdout",
    load: async () => (await import("./command-dump.ts")).dumpCommand,
  },
  {
    name: "check",
    summary: "check the repository for damage",
    load: async () => (await import("./command-check.ts")).checkCommand,
  },
  {
    name: "key list",
    summary: "list the keys (passwords) of the repository",
    load: async () => (await import("./command-key-list.ts")).keyListCommand,
  },
  {
    name: "key add",
    summary: "add a password",
    load: async () => (await import("./command-key-add.ts")).keyAddCommand,
  },
  {
    name: "key remove",
    summary: "remove a password",
    load: async () => (await import("./command-key-remove.ts")).keyRemoveCommand,
  },
  {
    name: "key passwd",
    summary: "replace the password that is in use",
    load: async () => (await import("./command-key-passwd.ts")).keyPasswdCommand,
  },
  {
    name: "unlock",
    summary: "remove locks that ended sessions left behind",
    load: async () => (await import("./command-unlock.ts")).unlockCommand,
  },
  {
    name: "status",
    summary: "say whether everything is backed up, and what is wrong if it is not",
    load: async () => (await import("./command-status.ts")).statusCommand,
  },
  {
    name: "run",
    summary: "start a policy's backup now",
    load: async () => (await import("./command-run.ts")).runCommand,
  },
  {
    name: "stop",
    summary: "end a policy's backup",
    load: async () => (await import("./command-stop.ts")).stopCommand,
  },
  {
    name: "sessions",
    summary: "list what ran",
    load: async () => (await import("./command-sessions.ts")).sessionsCommand,
  },
  {
    name: "session",
    summary: "show one session with each of its warnings",
    load: async () => (await import("./command-session.ts")).sessionCommand,
  },
  {
    name: "log",
    summary: "show the daemon's log",
    load: async () => (await import("./command-log.ts")).logCommand,
  },
  {
    name: "pause",
    summary: "let no scheduled backup start for a while",
    load: async () => (await import("./command-pause.ts")).pauseCommand,
  },
  {
    name: "resume",
    summary: "end a pause",
    load: async () => (await import("./command-resume.ts")).resumeCommand,
  },
  {
    name: "policies",
    summary: "list the policies in force",
    load: async () => (await import("./command-policies.ts")).policiesCommand,
  },
  {
    name: "policy show",
    summary: "show the policies of this machine, or what one of them means",
    load: async () => (await import("./command-policy-show.ts")).policyShowCommand,
  },
  {
    name: "policy validate",
    summary: "say what is wrong with files of policies",
    load: async () => (await import("./command-policy-validate.ts")).policyValidateCommand,
  },
  {
    name: "policy apply",
    summary: "put policies in force on this machine",
    load: async () => (await import("./command-policy-apply.ts")).policyApplyCommand,
  },
  {
    name: "policy export",
    summary: "print policies as they were written",
    load: async () => (await import("./command-policy-export.ts")).policyExportCommand,
  },
  {
    name: "policy remove",
    summary: "end a policy on this machine",
    load: async () => (await import("./command-policy-remove.ts")).policyRemoveCommand,
  },
  {
    name: "secret set",
    summary: "keep a password or key on this machine, for policies",
    load: async () => (await import("./command-secret-set.ts")).secretSetCommand,
  },
  {
    name: "secret list",
    summary: "list the names of the secrets of this machine",
    load: async () => (await import("./command-secret-list.ts")).secretListCommand,
  },
  {
    name: "secret remove",
    summary: "forget secrets of this machine",
    load: async () => (await import("./command-secret-remove.ts")).secretRemoveCommand,
  },
  {
    name: "enroll",
    summary: "make this machine a member of a management server's fleet",
    load: async () => (await import("./command-enroll.ts")).enrollCommand,
  },
  {
    name: "sync",
    summary: "fetch the server's newest policies now",
    load: async () => (await import("./command-sync.ts")).syncCommand,
  },
  {
    name: "leave",
    summary: "end the membership in a server's fleet; backups stay",
    load: async () => (await import("./command-leave.ts")).leaveCommand,
  },
  {
    name: "doctor",
    summary: "look at what backups on this machine rest on",
    load: async () => (await import("./command-doctor.ts")).doctorCommand,
  },
  {
    name: "support-bundle",
    summary: "gather what somebody needs who is to help",
    load: async () => (await import("./command-support-bundle.ts")).supportBundleCommand,
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    load: async () => (await import("./command-completion.ts")).completionCommand,
  },
  {
    name: "version",
    summary: "print the version",
    load: async () => (await import("./command-version.ts")).versionCommand,
  },
];
