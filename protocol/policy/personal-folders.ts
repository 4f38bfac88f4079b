/** The kinds of folders in which people keep their files. */
export const personalFolders = [
  "desktop",
  "documents",
  "downloads",
  "music",
  "pictures",
  "videos",
  "favorites",
  "application-data",
] as const;
export type PersonalFolder = (typeof personalFolders)[number];
