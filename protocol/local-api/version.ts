/**
 * Version of the local API, which is the first part of every path (`/v1/status`). Within a version fields are only ever
 * added and readers pass over those that they do not know; anything else makes a new version.
 */

export const localApiVersion = 1;

/** What every path begins with. */
export const localApiPrefix = `/v${localApiVersion}`;
