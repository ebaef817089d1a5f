// Which kernel is being linked: the routines' bodies ask while they are written.

/** What a build of the kernel has in it. */
export interface KernelBuild {
  /** With asserts in the machine code, which end in a bug check. Bit 0 of KPRCB.BuildType. */
  readonly checked: boolean;
  /** With the spin locks' counters, per processor, in the KPRCB. */
  readonly counters: boolean;
}

export const FREE_BUILD: KernelBuild = { checked: false, counters: false };

let current = FREE_BUILD;

/** The build that is being linked: the free one where nobody has asked for another. */
export function kernelBuild(): KernelBuild {
  return current;
}

/** Whatever `make` links, as a build: bodies run while `link` runs, so that they find it here. */
export function building<T>(build: Partial<KernelBuild>, make: () => T): T {
  const before = current;
  current = { ...FREE_BUILD, ...build };
  try {
    return make();
  } finally {
    current = before;
  }
}
