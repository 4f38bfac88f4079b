/** What a backup would ask of a storage that charges for it, from the figures of a dry run and prices that the user gives. Pure. */
import { InvalidArgumentError } from "commander";
import { type RequestSums, requestsText } from "../../protocol/request-sums.ts";
import type { BackupSummary } from "../backup/backup-request.ts";
import { formatBytes } from "./quantities.ts";

/** In any currency. */
export interface StoragePrices {
  /** Of a thousand requests that write or list. */
  readonly put: number;
  /** Of a thousand that read. */
  readonly get: number;
  /** Of 10^9 bytes kept for a month. */
  readonly gbMonth: number;
}

export interface RunEstimate {
  readonly requests: RequestSums["requests"];
  readonly bytesUp: number;
  /** Of its requests. */
  readonly price: number;
}

export interface BackupEstimate {
  /** Absent if there is a snapshot already, so that the dry run was one of many. */
  readonly first?: RunEstimate;
  /** Each of the following ones. */
  readonly daily: RunEstimate;
  /** Thirty of them, after the first. */
  readonly month: {
    readonly requestsPrice: number;
    /** What it has added in the end, if nothing of it is removed. */
    readonly bytesKept: number;
    /** Of keeping that for a month. */
    readonly keepingPrice: number;
  };
}

const days = 30;
const packBytes = 16 * 1024 * 1024;
/** Half full at the end of a run: of the threads, and of folders. */
const lastPacks = 2;
const indexBytesOfBlob = 45;
const indexBlobsMax = 50_000;
const priceNames = { put: "put", get: "get", "gb-month": "gbMonth" } as const;

/** Reads `put=0.005,get=0.0004,gb-month=0.023`; what is left out is 0. */
export function storagePrices(text: string): StoragePrices {
  const prices = { put: 0, get: 0, gbMonth: 0 };
  for (const part of text.split(",")) {
    const [, name = "", value = ""] =
      /^(put|get|gb-month)=(\d+(?:\.\d+)?)$/.exec(part.trim()) ?? [];
    if (name === "")
      throw new InvalidArgumentError("Write them as put=0.005,get=0.0004,gb-month=0.023.");
    prices[priceNames[name as keyof typeof priceNames]] = Number(value);
  }
  return prices;
}

/** `changePercent`: so much of a first backup is new on each following day, 0 to 100. */
export function backupEstimate(
  summary: Pick<BackupSummary, "bytesStored" | "dataBlobs" | "treeBlobs" | "parentId">,
  prices: StoragePrices,
  changePercent: number,
): BackupEstimate {
  const { bytesStored, parentId } = summary;
  const blobs = summary.dataBlobs + summary.treeBlobs;
  const run = runEstimate(bytesStored, blobs, prices);
  const isFirst = parentId === undefined;
  const share = changePercent / 100;
  const daily = isFirst ? runEstimate(bytesStored * share, blobs * share, prices) : run;
  const bytesKept = (isFirst ? run.bytesUp : 0) + days * daily.bytesUp;
  return {
    ...(isFirst && { first: run }),
    daily,
    month: {
      requestsPrice: days * daily.price,
      bytesKept,
      keepingPrice: (bytesKept / 1e9) * prices.gbMonth,
    },
  };
}

/** What runs are seen to ask for: each pack, and around them the lock, the index, the snapshot, and what tells of the ones before. */
function runEstimate(packedBytes: number, blobs: number, prices: StoragePrices): RunEstimate {
  const packs = packedBytes >= 1 ? Math.ceil(packedBytes / packBytes) + lastPacks : 0;
  const indexes = Math.ceil(blobs / indexBlobsMax);
  const put = packs + indexes + 2;
  const requests = { put, get: 3, list: 5, head: 3, delete: 1, other: 0 };
  const price =
    ((requests.put + requests.list) * prices.put + (requests.get + requests.head) * prices.get) /
    1000;
  return { requests, bytesUp: Math.round(packedBytes + blobs * indexBytesOfBlob), price };
}

/** For people. */
export function estimateLines({ first, daily, month }: BackupEstimate): string[] {
  const run = ({ requests, bytesUp, price }: RunEstimate): string =>
    `about ${requestsText(requests)}; ${formatBytes(bytesUp)} sent; requests ${priceText(price)}`;
  return [
    "",
    ...(first === undefined ? [] : [`The first run:    ${run(first)}`]),
    `Each daily run:   ${run(daily)}`,
    `${days} daily runs:    requests ${priceText(month.requestsPrice)}`,
    `Kept after that:  ${formatBytes(month.bytesKept)}${first === undefined ? " more" : ""} if nothing is removed; a month of it ${priceText(month.keepingPrice)}`,
  ];
}

/** Small prices are not nothing. */
function priceText(price: number): string {
  return price === 0 || price >= 0.01 ? price.toFixed(2) : price.toPrecision(2);
}
