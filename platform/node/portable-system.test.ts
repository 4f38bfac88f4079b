import { describeNetwork } from "../ports/network-contract.ts";
import { describePower } from "../ports/power-contract.ts";
import { describeRemovableMedia } from "../ports/removable-media-contract.ts";
import { describeSystemEvents } from "../ports/system-events-contract.ts";
import { PortableNetwork } from "./portable-network.ts";
import { PortablePower } from "./portable-power.ts";
import { PortableRemovableMedia } from "./portable-removable-media.ts";
import { PortableSystemEvents } from "./portable-system-events.ts";

describeSystemEvents(
  "the portable adapter",
  () =>
    Promise.resolve({
      events: new PortableSystemEvents(),
      cause: () => Promise.resolve(),
      end: () => Promise.resolve(),
    }),
  [],
);
describePower("the portable adapter", () => new PortablePower());
describeNetwork("the portable adapter", () => new PortableNetwork());
describeRemovableMedia("the portable adapter", () => new PortableRemovableMedia());
