/**
 * The sample primary in JavaScript: turns a CSV object of sales, however large, into a report object.
 *
 * It does what ../primary/handler.py does, and like that it is an ordinary handler that does not depend on overtime. The
 * AWS SDK is part of Lambda's Node.js runtimes, so the archive has nothing but this file.
 *
 * Event: `{"bucket": string, "key": string, "report_key": string, "chunk_bytes": number (optional)}`.
 */

import { createHash } from "node:crypto";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const DEFAULT_CHUNK_BYTES = 4 * 1024 * 1024;
const PROGRESS_MS = 1000;
const NEWLINE = 10;

const s3 = new S3Client();

/** Aggregate `s3://bucket/key` and write the report to `s3://bucket/report_key`. */
export async function handler(event, context) {
  tell("started", context, { event_sha256: digest(event), environment: process.env.AWS_EXECUTION_ENV ?? "" });
  const { bucket, key, report_key, chunk_bytes = DEFAULT_CHUNK_BYTES } = event;

  const totals = new Totals();
  let header;
  let toldAt = Date.now();
  for await (const lines of linesOf(bucket, key, Number(chunk_bytes))) {
    for (const line of lines) {
      const values = fields(line);
      if (header === undefined) {
        header = values;
        continue;
      }
      totals.add(Object.fromEntries(header.map((name, index) => [name, values[index]])));
      if (totals.rows % 10_000 === 0 && Date.now() - toldAt >= PROGRESS_MS) {
        toldAt = Date.now();
        tell("progress", context, { rows: totals.rows });
      }
    }
  }

  const body = totals.report();
  const report = { Bucket: bucket, Key: report_key, Body: JSON.stringify(body), ContentType: "application/json" };
  await s3.send(new PutObjectCommand(report));
  tell("finished", context, { rows: totals.rows });
  return { report_key, event_sha256: digest(event), request_id: context.awsRequestId, ...body };
}

/** Running totals of rows `{"store": string, "day": string, "amount": decimal text}`. */
class Totals {
  rows = 0;
  /** For each store, the total of each day. */
  stores = new Map();

  /** Add one row. Throw an error if the amount is not a number. */
  add({ store, day, amount }) {
    let days = this.stores.get(store);
    if (days === undefined) {
      this.stores.set(store, (days = new Map()));
    }
    const value = Decimal.parse(amount);
    const sum = days.get(day);
    days.set(day, sum === undefined ? value : sum.plus(value));
    this.rows += 1;
  }

  /** Return rows, revenue, and revenue and best day per store; amounts as decimal text, stores in order. */
  report() {
    let all = Decimal.ZERO;
    const stores = {};
    for (const store of [...this.stores.keys()].sort()) {
      let revenue = Decimal.ZERO;
      let best;
      for (const [day, amount] of this.stores.get(store)) {
        revenue = revenue.plus(amount);
        const order = best === undefined ? 1 : amount.compare(best.amount);
        if (order > 0 || (order === 0 && day > best.day)) {
          best = { day, amount };
        }
      }
      all = all.plus(revenue);
      stores[store] = { revenue: String(revenue), best_day: best.day };
    }
    return { rows: this.rows, revenue: String(all), stores };
  }
}

/** An exact decimal number: `units` of 10 to the power of `-places`. */
class Decimal {
  static ZERO = new Decimal(0n, 0);

  constructor(units, places) {
    this.units = units;
    this.places = places;
  }

  static parse(text) {
    const [, sign, whole, fraction = ""] = /^\s*([+-]?)(\d+)(?:\.(\d*))?\s*$/.exec(text) ?? [];
    if (whole === undefined) {
      throw new TypeError(`Not a decimal number: ${JSON.stringify(text)}`);
    }
    const units = BigInt(whole + fraction);
    return new Decimal(sign === "-" ? -units : units, fraction.length);
  }

  plus(other) {
    const places = Math.max(this.places, other.places);
    return new Decimal(this.#unitsOf(places) + other.#unitsOf(places), places);
  }

  /** Return a negative number if this is less than the other, 0 if they are equal, else a positive number. */
  compare(other) {
    const places = Math.max(this.places, other.places);
    const difference = this.#unitsOf(places) - other.#unitsOf(places);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  toString() {
    const digits = String(this.units < 0n ? -this.units : this.units).padStart(this.places + 1, "0");
    const whole = digits.slice(0, digits.length - this.places);
    const fraction = this.places > 0 ? `.${digits.slice(-this.places)}` : "";
    return `${this.units < 0n ? "-" : ""}${whole}${fraction}`;
  }

  #unitsOf(places) {
    return places === this.places ? this.units : this.units * 10n ** BigInt(places - this.places);
  }
}

/** Yield the object's lines, some at a time, with only one range of it in memory. */
async function* linesOf(Bucket, Key, chunkBytes) {
  const { ContentLength: size } = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  let rest = Buffer.alloc(0);
  for (let start = 0; start < size; start += chunkBytes) {
    const end = Math.min(start + chunkBytes, size) - 1;
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, Range: `bytes=${start}-${end}` }));
    const bytes = Buffer.concat([rest, await Body.transformToByteArray()]);
    const whole = bytes.lastIndexOf(NEWLINE);
    if (whole >= 0) {
      yield bytes.toString("utf8", 0, whole).split("\n");
    }
    rest = bytes.subarray(whole + 1);
  }
  if (rest.length > 0) {
    yield [rest.toString("utf8")];
  }
}

/** Split a line of a CSV file; a field may be in quotation marks. */
function fields(line) {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (!text.includes('"')) {
    return text.split(",");
  }
  return Array.from(text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );
}

/** Return the event's hash, which identifies it in the logs of all attempts without revealing it. */
function digest(event) {
  return createHash("sha256").update(JSON.stringify(event)).digest("hex");
}

/** Log one line of JSON with the request id and the time left. `console.log` would put a timestamp before it. */
function tell(sample, context, more) {
  const left = Math.round(context.getRemainingTimeInMillis());
  process.stdout.write(`${JSON.stringify({ sample, request_id: context.awsRequestId, remaining_ms: left, ...more })}\n`);
}
