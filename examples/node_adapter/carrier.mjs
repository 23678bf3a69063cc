// A stand-in for the carrier's own client.
import { createHash } from "node:crypto";

const GRAMS_MAX = 31_500;

// Real carriers take an idempotency key too, and answer a repeated one with the same label.
export async function print(grams, key) {
  if (!(grams > 0)) throw new TypeError(`a parcel of ${grams} g`);
  if (grams > GRAMS_MAX) {
    throw Object.assign(new Error(`a parcel of ${grams} g: ${GRAMS_MAX} g at most`), {
      type: "TooHeavy",
      retryable: false,
      details: { grams, max: GRAMS_MAX },
    });
  }
  const number = createHash("sha256").update(key).digest("hex").slice(0, 8).toUpperCase();
  return { number, cents: 399 + Math.ceil(grams / 1000) * 50 };
}
