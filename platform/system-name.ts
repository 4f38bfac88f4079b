/** The name of this system, for people and reports. */

/** Such as `linux` and `x64`. */
export function systemName(): { readonly system: string; readonly processor: string } {
  return { system: process.platform, processor: process.arch };
}
