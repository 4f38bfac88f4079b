/** A Credential Access Boundary: what of a token's rights is left for one machine's prefix. Pure. */

export interface BoundaryRule {
  readonly availableResource: string;
  readonly availablePermissions: readonly string[];
  readonly availabilityCondition: { readonly expression: string };
}

/**
 * Read and list below the prefix, create there (which writes over nothing), and everything below its `locks/`. `prefix`
 * has no slash at its end, and no quotation mark.
 */
export function accessBoundary(bucket: string, prefix: string): readonly BoundaryRule[] {
  const availableResource = `//storage.googleapis.com/projects/_/buckets/${bucket}`;
  const objects = (path: string): string =>
    `resource.name.startsWith('projects/_/buckets/${bucket}/objects/${path}/')`;
  const lists = `api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${prefix}/')`;
  return [
    {
      availableResource,
      availablePermissions: [
        "inRole:roles/storage.objectViewer",
        "inRole:roles/storage.objectCreator",
      ],
      availabilityCondition: { expression: `${objects(prefix)} || ${lists}` },
    },
    {
      availableResource,
      availablePermissions: ["inRole:roles/storage.objectUser"],
      availabilityCondition: { expression: objects(`${prefix}/locks`) },
    },
  ];
}
