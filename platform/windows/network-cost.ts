/** Whether Windows counts what is sent: the network list manager's cost, by COM. */
import koffi from "koffi";
import { checkCode, lazyLibrary } from "./windows-calls.ts";

/** Flags of NLM_CONNECTION_COST. */
const costs = { unrestricted: 0x1, fixed: 0x2, variable: 0x4 } as const;
const overLimitOrRoaming = 0x1_0000 | 0x4_0000;

/** Undefined if Windows does not know: without a network, or on a server. */
export function isMeteredCost(cost: number): boolean | undefined {
  if ((cost & (costs.fixed | costs.variable | overLimitOrRoaming)) !== 0) return true;
  return (cost & costs.unrestricted) !== 0 ? false : undefined;
}

/** {DCB00C01-570F-4A9B-8D69-199FDBA5723B}, the list manager. */
const managerClass = "010cb0dc0f579b4a8d69199fdba5723b";
/** {DCB00008-570F-4A9B-8D69-199FDBA5723B}, its cost manager. */
const costInterface = "0800b0dc0f579b4a8d69199fdba5723b";
const anyServer = 0x17;
const multiThreaded = 0;
const slots = { release: 2, getCost: 3 } as const;
const pointerBytes = 8;

const ole = lazyLibrary("ole32.dll", (library) => ({
  CoInitializeEx: library.func("int32_t CoInitializeEx(void *, uint32_t)") as (
    reserved: null,
    model: number,
  ) => number,
  CoCreateInstance: library.func(
    "int32_t CoCreateInstance(const uint8_t *, void *, uint32_t, const uint8_t *, _Out_ uint64_t *)",
  ) as (
    objectClass: Uint8Array,
    outer: null,
    context: number,
    wanted: Uint8Array,
    object: BigUint64Array,
  ) => number,
}));

const prototypes = lazyLibrary("ole32.dll", () => ({
  getCost: koffi.proto("__stdcall", "int32_t", [
    "void *",
    koffi.out(koffi.pointer("uint32_t")),
    "void *",
  ]),
  release: koffi.proto("__stdcall", "uint32_t", ["void *"]),
}));

/** The cost of what goes out now, as flags. Throws if this Windows has no such service. */
export function connectionCost(): number {
  // Has been done before, or in another way, by whoever uses COM in this process: either is good.
  ole().CoInitializeEx(null, multiThreaded);
  const found = new BigUint64Array(1);
  const [manager, wanted] = [managerClass, costInterface].map((id) => Buffer.from(id, "hex"));
  const code = ole().CoCreateInstance(manager, null, anyServer, wanted, found);
  checkCode(code, "CoCreateInstance NetworkListManager");
  const object = found[0];
  try {
    const cost = new Uint32Array(1);
    checkCode(
      koffi.call(method(object, slots.getCost), prototypes().getCost, object, cost, null) as number,
      "INetworkCostManager::GetCost",
    );
    return cost[0];
  } finally {
    koffi.call(method(object, slots.release), prototypes().release, object);
  }
}

/** The function at a place in the table of a COM object. */
function method(object: bigint, slot: number): unknown {
  const table: unknown = koffi.decode(object, "void *");
  return koffi.decode(table, slot * pointerBytes, "void *");
}
