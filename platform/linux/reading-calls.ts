/** What the reading side of one thread shares: its calls and the memory that they fill. */
import { DirectoryReader } from "./directory-reader.ts";
import { EntryCalls } from "./entry-calls.ts";
import { ExtendedAttributeReader } from "./extended-attributes.ts";

/** One per thread. */
export class ReadingCalls {
  readonly entries: EntryCalls = new EntryCalls();
  readonly directories: DirectoryReader = new DirectoryReader();
  readonly attributes: ExtendedAttributeReader = new ExtendedAttributeReader(this.entries.path);
}
