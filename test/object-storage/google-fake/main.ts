/** The stand-in for Google's storage as a program: `node main.ts [PORT]`. It prints what `STORAGE_EMULATOR_HOST` takes. */
import { FakeGoogle } from "./fake-google.ts";

const [port = "0"] = process.argv.slice(2);
const fake = await FakeGoogle.start({ port: Number(port) });
console.log(fake.url);
for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => void fake.stop());
