/**
 * What the gateway keeps files in: a port, so that a folder can be followed by any other store. Everything is streamed.
 *
 * Methods reject with a BackstayError of a STORE_… code.
 */
import type { Readable } from "node:stream";
import type { ByteRange, FileType, Handle, StoredFile } from "../../storage/object-store.ts";

/** Where the files of one machine in one repository are. The ids are of the form of `isPlainId`. */
export interface GatewayPlace {
  readonly tenantId: string;
  readonly repositoryId: string;
  readonly agentId: string;
}

export interface Usage {
  readonly bytes: number;
  readonly objects: number;
}

/** A file that is on its way in. Nobody sees it before it is published. */
export interface IncomingFile {
  write(part: Uint8Array): Promise<void>;
  /** Gives it its name, durable and whole when it resolves; `exists` if another file has it: then nothing changed. */
  publish(): Promise<"created" | "exists">;
  /** Removes what is not published. To be called in any case, at last. Never rejects. */
  discard(): Promise<void>;
}

/** A file that is there. */
export interface OutgoingFile {
  readonly sizeBytes: number;
  /** Its content, or a part of it; to be called once, or `close` instead. */
  read(range: ByteRange | undefined): Readable;
  close(): Promise<void>;
}

export interface GatewayObjects {
  /** Makes the place ready. Repeating it is harmless. */
  create(place: GatewayPlace): Promise<void>;
  /** `sizeBytes`: how long it will be. STORE_MISSING (of `publish`) if the place was never made. */
  receive(place: GatewayPlace, handle: Handle, sizeBytes: number): Promise<IncomingFile>;
  open(place: GatewayPlace, handle: Handle): Promise<OutgoingFile | undefined>;
  stat(place: GatewayPlace, handle: Handle): Promise<number | undefined>;
  /** Makes sure that a file that was found outlives a power cut. */
  settle(place: GatewayPlace, handle: Handle): Promise<void>;
  list(place: GatewayPlace, type: FileType, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** Bytes that were freed; undefined if there was no such file. */
  remove(place: GatewayPlace, handle: Handle): Promise<number | undefined>;
  /** What is there. */
  count(place: GatewayPlace, signal: AbortSignal): Promise<Usage>;
  /** Notes durably that the place is about to change: after a crash `unsettled` names it. */
  noteChanging(place: GatewayPlace): Promise<void>;
  /** Takes the note back. Whatever is left of broken uploads there goes. */
  noteSettled(place: GatewayPlace): Promise<void>;
  /** Places that were changing when the last process ended. To be asked before anything is noted. */
  unsettled(): Promise<readonly GatewayPlace[]>;
}
