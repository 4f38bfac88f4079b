/** What a policy backs up. */
import { z } from "zod";
import { personalFolders } from "./personal-folders.ts";
import { size } from "./scalars.ts";

/** Absolute on one of the systems, or beginning with a variable. */
const absolutePath = /^(?:\/|[a-z]:[\\/]|\\\\|\$\{)/i;
const homeAtBeginning = /^!?\$\{user\.home\}(?=$|[/\\])/;
const otherVariable = /\$\{(?!env\.[A-Za-z_][A-Za-z0-9_]*\})/;

function hasKnownVariables(text: string): boolean {
  return !otherVariable.test(text.replace(homeAtBeginning, ""));
}

const variables = {
  error: `has a variable that does not exist: there are \${user.home}, which stands for a folder at the beginning, and \${env.NAME}`,
};
const path = z
  .string()
  .regex(absolutePath, "must be an absolute path")
  .refine(
    (text) => !text.includes("\0") && text.isWellFormed(),
    "holds a character that no path can have",
  )
  .refine((text) => !/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(text), "must not go up by `..`")
  .refine(hasKnownVariables, variables);
const pattern = z.string().min(1).refine(hasKnownVariables, variables);

export const source = z
  .strictObject({
    mode: z.enum(["files", "volumes", "entire-computer"]).default("files"),
    paths: z
      .array(path)
      .default([])
      .describe(
        `Absolute paths. \${user.home} at the beginning makes one path for each user; \${env.NAME} is a variable of the service.`,
      ),
    personalFiles: z
      .strictObject({
        folders: z
          .array(z.enum(personalFolders))
          .min(1)
          .default([...personalFolders.slice(0, 6)]),
        otherFiles: z
          .boolean()
          .default(false)
          .describe("Everything else in the homes too, but not the folders that are not named."),
      })
      .optional()
      .describe("Folders of every user of the machine."),
    includeMasks: z
      .array(pattern)
      .default([])
      .describe("Patterns: of files, only those that match one are backed up. Case is ignored."),
    exclude: z
      .array(pattern)
      .default([])
      .describe("Gitignore-style patterns of what is left out; they win over masks."),
    excludeIgnoringCase: z.array(pattern).default([]),
    excludeCaches: z.boolean().default(false).describe("Folders marked by a CACHEDIR.TAG."),
    excludeIfPresent: z
      .array(z.string().regex(/^(?!\.{1,2}(?::|$))[^/:\0]+(?::|$)/, "must be NAME or NAME:HEADER"))
      .default([])
      .describe("Folders that hold a file of this name; NAME or NAME:HEADER."),
    excludeLargerThan: size.optional(),
    oneFileSystem: z.boolean().default(false),
    missingPath: z
      .enum(["warning", "error"])
      .default("warning")
      .describe("What a listed path that does not exist makes of a session."),
    volumes: z
      .array(z.string().min(1))
      .default([])
      .describe("By device, mount point or label; with mode volumes."),
    excludeVolumes: z.array(z.string().min(1)).default([]),
    includeExternalDrives: z.boolean().default(false),
  })
  .superRefine((given, context) => {
    for (const { field, problem } of contradictions(given))
      context.addIssue({ code: "custom", path: field === "" ? [] : [field], message: problem });
  });

interface Contradiction {
  /** Empty for the source as a whole. */
  readonly field: string;
  readonly problem: string;
}

/** Nothing that is asked for may be without effect. */
function contradictions(given: {
  readonly mode: "files" | "volumes" | "entire-computer";
  readonly paths: readonly string[];
  readonly personalFiles?: object | undefined;
  readonly volumes: readonly string[];
  readonly excludeVolumes: readonly string[];
  readonly includeExternalDrives: boolean;
}): Contradiction[] {
  const asked = {
    paths: given.paths.length > 0,
    personalFiles: given.personalFiles !== undefined,
    volumes: given.volumes.length > 0,
    excludeVolumes: given.excludeVolumes.length > 0,
    includeExternalDrives: given.includeExternalDrives,
  };
  const useless = (...fields: readonly (keyof typeof asked)[]): Contradiction[] =>
    fields
      .filter((field) => asked[field])
      .map((field) => ({ field, problem: `has no effect with mode ${given.mode}` }));
  if (given.mode === "entire-computer")
    return useless("paths", "personalFiles", "volumes", "excludeVolumes");
  if (given.mode === "volumes") {
    if (asked.volumes !== asked.excludeVolumes) return [];
    return [{ field: "", problem: "needs either volumes or excludeVolumes with mode volumes" }];
  }
  const found = useless("volumes", "excludeVolumes", "includeExternalDrives");
  if (!asked.paths && !asked.personalFiles)
    found.push({ field: "", problem: "names nothing to back up: give paths or personalFiles" });
  return found;
}
