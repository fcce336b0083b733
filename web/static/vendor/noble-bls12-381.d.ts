/** What the verifier uses of the vendored file; the rest has no types here. */

export interface Point {
  is0(): boolean;
  assertValidity(): void;
  toBytes(compressed: boolean): Uint8Array;
}

export const bls12_381: {
  G1: { Point: { fromBytes(bytes: Uint8Array): Point } };
  G2: { Point: { fromBytes(bytes: Uint8Array): Point } };
  shortSignatures: { hash(message: Uint8Array, dst: string): Point; verify(signature: Point, message: Point, publicKey: Point): boolean };
};
