/** What the verifier uses of the vendored file; the rest has no types here. */

export interface Point {
  readonly X: bigint;
  add(other: Point): Point;
  subtract(other: Point): Point;
  multiply(scalar: bigint): Point;
  multiplyUnsafe(scalar: bigint): Point;
  clearCofactor(): Point;
  equals(other: Point): boolean;
  is0(): boolean;
  isSmallOrder(): boolean;
  isTorsionFree(): boolean;
  toBytes(): Uint8Array;
}

export const ed25519: {
  Point: { BASE: Point; CURVE(): { n: bigint }; fromBytes(bytes: Uint8Array, zip215?: boolean): Point };
  getPublicKey(seed: Uint8Array): Uint8Array;
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array;
};
export function sha256(message: Uint8Array): Uint8Array<ArrayBuffer>;
export function sha512(message: Uint8Array): Uint8Array<ArrayBuffer>;
