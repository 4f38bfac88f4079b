/** What the service control manager of Windows tells a service, decoded. */

/** One call of a service's handler: the control, the kind of event, and what belongs to it. */
export interface ServiceCall {
  readonly control: number;
  readonly eventType: number;
  /** As many bytes as `serviceDataBytes` tells; empty if there were none. */
  readonly data: Uint8Array;
}

export type ServiceNotice =
  | { readonly kind: "stop" | "reload" | "shutdown" | "time" | "devices" }
  | {
      readonly kind: "session";
      readonly change: "lock" | "unlock" | "log-on" | "log-off";
      readonly session: number;
    }
  | { readonly kind: "power"; readonly change: "sleep" | "resume" | "supply" };

/** What the service asks to be told: stop, shutdown, parameters, power, sessions, before shutdown, time. */
export const acceptedControls = 0x1 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200;

export const controls = {
  stop: 1,
  interrogate: 4,
  shutdown: 5,
  parameterChange: 6,
  deviceEvent: 0xb,
  powerEvent: 0xd,
  sessionChange: 0xe,
  preShutdown: 0xf,
  timeChange: 0x10,
} as const;

const sessionChanges: Readonly<Record<number, "lock" | "unlock" | "log-on" | "log-off">> = {
  5: "log-on",
  6: "log-off",
  7: "lock",
  8: "unlock",
};

const powerSettingChange = 0x8013;
const powerChanges: Readonly<Record<number, "sleep" | "resume" | "supply">> = {
  4: "sleep",
  // To someone who sits there, and by itself; the first may follow the second.
  7: "resume",
  18: "resume",
  10: "supply",
  [powerSettingChange]: "supply",
};

const deviceArrived = 0x8000;
const deviceGone = 0x8004;

/** WTSSESSION_NOTIFICATION: its own length, and the session's number. */
const sessionBytes = 8;

/** How many bytes lie behind the pointer that comes with a control, as far as they are wanted. */
export function serviceDataBytes(control: number): number {
  return control === controls.sessionChange ? sessionBytes : 0;
}

/** Undefined for what is of no interest. */
export function decodeServiceCall({
  control,
  eventType,
  data,
}: ServiceCall): ServiceNotice | undefined {
  switch (control) {
    case controls.stop:
      return { kind: "stop" };
    case controls.shutdown:
    case controls.preShutdown:
      return { kind: "shutdown" };
    case controls.parameterChange:
      return { kind: "reload" };
    case controls.timeChange:
      return { kind: "time" };
    case controls.deviceEvent:
      return eventType === deviceArrived || eventType === deviceGone
        ? { kind: "devices" }
        : undefined;
    case controls.powerEvent: {
      const change = powerChanges[eventType];
      return change === undefined ? undefined : { kind: "power", change };
    }
    case controls.sessionChange: {
      const change = sessionChanges[eventType];
      if (change === undefined || data.length < sessionBytes) return undefined;
      const session = new DataView(data.buffer, data.byteOffset, data.length).getUint32(4, true);
      return { kind: "session", change, session };
    }
    default:
      return undefined;
  }
}
