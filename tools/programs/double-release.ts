// A driver's bug for the checked kernel to find: the boot processor releases a spin lock twice.

import { byte, cl, data, ecx, fs, proc } from "#asm";
import {
  DISPATCH_LEVEL,
  KefAcquireSpinLockAtDpcLevel,
  KefReleaseSpinLockFromDpcLevel,
  KfRaiseIrql,
  KPCR,
  linkKernel,
} from "#kernel";

const spinLock = data("spinLock", 4);

/** What every processor calls once the kernel has started it. */
export const DriverThread = proc("DriverThread", (a) => {
  a.cmp(byte(fs, KPCR.Number), 0);
  a.jne("done");
  a.mov(cl, DISPATCH_LEVEL);
  a.call(KfRaiseIrql);
  a.mov(ecx, spinLock);
  a.call(KefAcquireSpinLockAtDpcLevel);
  a.mov(ecx, spinLock);
  a.call(KefReleaseSpinLockFromDpcLevel);
  a.mov(ecx, spinLock);
  a.call(KefReleaseSpinLockFromDpcLevel);
  a.label("done");
  a.ret();
});

export default linkKernel({ checked: true, thread: DriverThread });
