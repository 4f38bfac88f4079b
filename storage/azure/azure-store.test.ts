/** The store against Azurite: the contract, and what only Azure does. */
import { afterAll, beforeAll } from "vitest";
import { Azurite } from "../../test/object-storage/azurite.ts";
import { describeStoreContract } from "../store-contract.ts";
import { openAzureStore } from "./azure-store.ts";

let azurite: Azurite;
let places = 0;
beforeAll(async () => {
  azurite = await Azurite.start();
});
afterAll(async () => await azurite.stop());

describeStoreContract("azure", async () => {
  places += 1;
  return openAzureStore(`place-${places}:/some/prefix`, { environment: azurite.environment });
});
