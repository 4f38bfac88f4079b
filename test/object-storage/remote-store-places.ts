/** New places for remote stores at the real servers that run here, for suites that put something between them. */
import { randomUUID } from "node:crypto";
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { openAzureStore } from "../../storage/azure/azure-store.ts";
import { GcsStore } from "../../storage/gcs/gcs-store.ts";
import { restPlace } from "../../storage/rest/rest-address.ts";
import { RestStore } from "../../storage/rest/rest-store.ts";
import { openS3Store } from "../../storage/s3/s3-store.ts";
import type { RunningServer } from "../rest/rest-servers.ts";
import type { Azurite } from "./azurite.ts";
import type { FakeGoogle } from "./google-fake/fake-google.ts";
import type { Radosgw } from "./radosgw.ts";
import type { RemoteStorePlace } from "./remote-store-scene.ts";

/** A repository's place at restic's rest-server. */
export function restServerPlace(server: RunningServer): RemoteStorePlace {
  const name = randomUUID();
  return {
    upstream: server.url,
    open: (origin, options) => new RestStore(restPlace(`${origin}/${name}/`, {}), options),
  };
}

/** A container of its own. */
export function azuritePlace(server: Azurite): RemoteStorePlace {
  const container = randomUUID();
  return {
    upstream: new URL(server.endpoint).origin,
    open: (origin, options) =>
      openAzureStore(`${container}:/some/prefix`, {
        ...options,
        environment: {
          ...server.environment,
          BACKSTAY_AZURE_ENDPOINT: `${origin}${new URL(server.endpoint).pathname}`,
        },
      }),
  };
}

/** A bucket of its own. */
export function googlePlace(server: FakeGoogle): RemoteStorePlace {
  const bucket = randomUUID();
  return {
    upstream: server.url,
    open: (origin, options) =>
      GcsStore.open(`${bucket}:/some/prefix`, {
        ...options,
        environment: { STORAGE_EMULATOR_HOST: origin, GOOGLE_PROJECT_ID: "tests" },
      }),
  };
}

/** A bucket of its own, which the store makes. */
export function radosgwPlace(server: Radosgw): RemoteStorePlace {
  const Bucket = randomUUID();
  return {
    upstream: server.url,
    open: (origin, options) =>
      openS3Store(`${origin}/${Bucket}/some/prefix`, {
        ...options,
        environment: server.environment,
      }),
    leftovers: async () => {
      const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = server.environment;
      const client = new S3Client({
        endpoint: server.url,
        region: "us-east-1",
        forcePathStyle: true,
        credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
      });
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
      client.destroy();
      return Uploads.length;
    },
  };
}
