/** What keys in the browser use of the vendored file; the rest has no types here. */

export const x25519: { getPublicKey(seed: Uint8Array): Uint8Array; getSharedSecret(seed: Uint8Array, publicKey: Uint8Array): Uint8Array };
export function argon2id(password: Uint8Array, salt: Uint8Array, options: { m: number; t: number; p: number; dkLen: number }): Uint8Array<ArrayBuffer>;
