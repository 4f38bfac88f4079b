/** The calls of advapi32.dll and user32.dll by which a process is a service, typed. */
import koffi from "koffi";
import { type ServiceCall, serviceDataBytes } from "./service-controls.ts";
import { check, copyOf, type Handle, lazyLibrary, wideText } from "./windows-calls.ts";

/** Fields of SERVICE_STATUS that change. */
export interface ServiceStatus {
  readonly state: number;
  readonly accepted: number;
  readonly checkPoint: number;
  readonly waitHintMs: number;
}

export interface ServiceCalls {
  /**
   * Tells the manager that this process is its service. `begun` is called on the main thread when the service may begin.
   * Resolves when the manager has let go of it; rejects with the error code if the process is no service.
   */
  dispatch(begun: () => void): Promise<number>;
  /** Has `handler` called for each control from now on. The manager waits for it: it must be quick. */
  registerHandler(handler: (call: ServiceCall) => void): Handle;
  setStatus(service: Handle, status: ServiceStatus): void;
  /** Volumes that come and go, and the power supply, become controls too. */
  watchDevices(service: Handle): void;
}

const ownProcess = 0x10;
/** A service that is alone in its process may leave its name out. */
const ownName = "";
const tableBytes = 32;
const volumeInterface = "0d63f553bfb6d01194f200a0c91efb8b";
const powerSourceSetting = "599a3e5dd5e9004ba6bdff34ff516548";
const deviceInterface = 5;
const filterBytes = 32;
const toService = 1;

const mainPrototype = koffi.proto("__stdcall", "void", ["uint32_t", "void *"]);
const handlerPrototype = koffi.proto("__stdcall", "uint32_t", [
  "uint32_t",
  "uint32_t",
  "void *",
  "void *",
]);

const advapi = lazyLibrary("advapi32.dll", (library) => ({
  StartServiceCtrlDispatcherW: library.func("int StartServiceCtrlDispatcherW(const uint8_t *)") as {
    async(table: Uint8Array, done: (error: Error | null, succeeded: number) => void): void;
  },
  RegisterServiceCtrlHandlerExW: library.func("RegisterServiceCtrlHandlerExW", "intptr_t", [
    "str16",
    koffi.pointer(handlerPrototype),
    "void *",
  ]) as (name: string, handler: bigint, context: null) => Handle,
  SetServiceStatus: library.func("int SetServiceStatus(intptr_t, const uint32_t *)") as (
    service: Handle,
    status: Uint32Array,
  ) => number,
}));

const user = lazyLibrary("user32.dll", (library) => ({
  RegisterDeviceNotificationW: library.func(
    "intptr_t RegisterDeviceNotificationW(intptr_t, const uint8_t *, uint32_t)",
  ) as (recipient: Handle, filter: Uint8Array, flags: number) => Handle,
  RegisterPowerSettingNotification: library.func(
    "intptr_t RegisterPowerSettingNotification(intptr_t, const uint8_t *, uint32_t)",
  ) as (recipient: Handle, setting: Uint8Array, flags: number) => Handle,
}));

/** Windows calls these as long as the process lives; nothing of it may be collected. */
const kept: unknown[] = [];

export const serviceCalls: ServiceCalls = {
  dispatch: async (begun) =>
    await new Promise((resolve, reject) => {
      const main = koffi.register(() => begun(), koffi.pointer(mainPrototype));
      const name = wideText(ownName);
      // SERVICE_TABLE_ENTRYW: name and function; an entry of zeros ends the table.
      const table = Buffer.alloc(tableBytes);
      table.writeBigUInt64LE(koffi.address(name), 0);
      table.writeBigUInt64LE(main, 8);
      kept.push(main, name, table);
      advapi().StartServiceCtrlDispatcherW.async(table, (error, succeeded) => {
        if (error !== null) reject(error);
        else resolve(succeeded);
      });
    }),

  registerHandler(handler) {
    const registered = koffi.register((control: number, eventType: number, data: unknown) => {
      const sizeBytes = data === null ? 0 : serviceDataBytes(control);
      const bytes = sizeBytes === 0 ? new Uint8Array(0) : copyOf(data, sizeBytes);
      handler({ control, eventType, data: bytes });
      return 0;
    }, koffi.pointer(handlerPrototype));
    kept.push(registered);
    const service = advapi().RegisterServiceCtrlHandlerExW(ownName, registered, null);
    check(Number(service) !== 0, "RegisterServiceCtrlHandlerExW");
    return service;
  },

  setStatus(service, { state, accepted, checkPoint, waitHintMs }) {
    const fields = Uint32Array.of(ownProcess, state, accepted, 0, 0, checkPoint, waitHintMs);
    check(advapi().SetServiceStatus(service, fields) !== 0, "SetServiceStatus");
  },

  watchDevices(service) {
    // DEV_BROADCAST_DEVICEINTERFACE_W: length, kind, reserved, class of device, name.
    const filter = Buffer.alloc(filterBytes);
    filter.writeUInt32LE(filterBytes, 0);
    filter.writeUInt32LE(deviceInterface, 4);
    Buffer.from(volumeInterface, "hex").copy(filter, 12);
    const devices = user().RegisterDeviceNotificationW(service, filter, toService);
    check(Number(devices) !== 0, "RegisterDeviceNotificationW");
    const setting = Buffer.from(powerSourceSetting, "hex");
    const supply = user().RegisterPowerSettingNotification(service, setting, toService);
    check(Number(supply) !== 0, "RegisterPowerSettingNotification");
  },
};
