/** What the options of commands that write say of new objects: how they are locked, and of which storage class packs are. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type Immutability,
  type RetentionMode,
  retentionModes,
} from "../../protocol/immutability.ts";
import { collect } from "./command.ts";

export interface NewObjectOptions {
  readonly retentionMode?: RetentionMode;
  readonly retentionDays?: number;
  readonly storageClass?: string;
  readonly option: readonly string[];
}

export interface NewObjects {
  readonly immutability?: Immutability;
  readonly storageClass?: string;
}

/** Names of restic's extended options that say the storage class. */
const classOptions: ReadonlySet<string> = new Set(["s3.storage-class", "azure.access-tier"]);

export function addNewObjectOptions(command: Command): void {
  command
    .option("--retention-days <n>", "lock the restore point in the storage for so many days", days)
    .addOption(
      new Option(
        "--retention-mode <mode>",
        "who may end a lock early: those with a special right, or nobody (compliance)",
      ).choices([...retentionModes]),
    )
    .option("--storage-class <class>", "storage class of new packs, such as STANDARD_IA")
    .option(
      "-o, --option <key=value>",
      "s3.storage-class or azure.access-tier, as restic takes them",
      collect,
      [],
    );
}

/** USAGE where they contradict each other. */
export function newObjectsOf(options: NewObjectOptions): NewObjects {
  const { retentionMode, retentionDays } = options;
  if (retentionMode !== undefined && retentionDays === undefined)
    throw new BackstayError("USAGE", { problem: "--retention-mode takes --retention-days, too" });
  const classes = new Set(options.option.map(classOf));
  if (options.storageClass !== undefined) classes.add(options.storageClass);
  if (classes.size > 1)
    throw new BackstayError("USAGE", {
      problem: `give one storage class, not ${[...classes].join(" and ")}`,
    });
  const [storageClass] = classes;
  return {
    ...(retentionDays !== undefined && {
      immutability: { mode: retentionMode ?? "compliance", days: retentionDays },
    }),
    ...(storageClass !== undefined && { storageClass }),
  };
}

function classOf(text: string): string {
  const at = text.indexOf("=");
  if (at > 0 && classOptions.has(text.slice(0, at)) && at + 1 < text.length)
    return text.slice(at + 1);
  throw new BackstayError("USAGE", {
    option: "-o",
    problem: `"${text}" is none of ${[...classOptions].map((name) => `${name}=…`).join(", ")}`,
  });
}

function days(text: string): number {
  const count = Number(text);
  if (!/^\d{1,5}$/.test(text) || count < 1 || count > 36_500)
    throw new InvalidArgumentError("Give a whole number from 1 to 36500.");
  return count;
}
