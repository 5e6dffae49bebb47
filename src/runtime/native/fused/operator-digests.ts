/** SHA-256 of the library of operators by platform. Written by deploy/build-operators.mjs; not to be changed by hand. */

export const operatorDigests: ReadonlyMap<string, string> = new Map([
  ['linux-x64', '674c45923b4beb8b250f7243c33b06568f61cebf6be324b3ed43b7cfda6072f5'],
  ['linux-arm64', '3311a56ab8344fe90bd12e1014c58083dec5de5bd6810d0a1000ae7e791fc266'],
])
