/** What the verifier uses of the vendored file; the rest has no types here. */

export const ml_dsa44: { verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean };
