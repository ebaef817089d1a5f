// The firmware's side of fw_cfg: items by key through ports 510h and 511h (docs/specs/fw_cfg.rst in QEMU).
import { type Assembler, ax, dx, eax, ecx, edi, edx, esp, proc } from "#asm";

const SELECTOR = 0x510;
const DATA = 0x511;

/** Keys of what QEMU hands over. */
export const Key = {
  signature: 0x00,
  ramSize: 0x03,
  processors: 0x05,
  kernelAddress: 0x07,
  kernelSize: 0x08,
  initrdAddress: 0x0a,
  initrdSize: 0x0b,
  kernelEntry: 0x10,
  kernelData: 0x11,
  initrdData: 0x12,
  setupSize: 0x17,
} as const;

/** "QEMU", the first item of every fw_cfg. */
export const SIGNATURE = 0x554d4551;

/** Reads ECX bytes of item EAX, from its start, to EDI. Uses EAX, ECX, EDX and EDI. */
export const readItem = proc("readItem", (a) => {
  a.mov(edx, SELECTOR);
  a.out(dx, ax);
  a.mov(edx, DATA);
  a.rep.insb();
  a.ret();
});

/** EAX = the first doubleword of item EAX, zeros where it is shorter. Uses ECX and EDX. */
const readNumber = proc("readNumber", (a) => {
  a.push(edi);
  a.push(0);
  a.mov(edi, esp);
  a.mov(ecx, 4);
  a.call(readItem);
  a.pop(eax);
  a.pop(edi);
  a.ret();
});

/** EAX = the number that an item holds. Uses ECX and EDX. */
export function numberOf(a: Assembler, key: number): void {
  a.mov(eax, key);
  a.call(readNumber);
}
