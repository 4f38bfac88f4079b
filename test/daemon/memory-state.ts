/** A state in a folder in memory, which goes when it is closed. */
import { rmSync } from "node:fs";
import { openState } from "../../agent/state/open-state.ts";
import type { State } from "../../agent/state/state.ts";
import { newMemoryFolder } from "../memory-folder.ts";

export function openMemoryState(): State {
  const folder = newMemoryFolder("daemon-state-");
  const state = openState({
    folder,
    nowMs: () => Date.now(),
    onTrouble: (trouble) => {
      throw trouble;
    },
  });
  const close = state.close.bind(state);
  return Object.assign(state, {
    close: () => {
      close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
