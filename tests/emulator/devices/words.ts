// Words for devices that are tested on their own: a memory as large as the layout's fixed part.

import type { MachineWords } from "../../../emulator/devices/device.ts";
import { TLB_BASE } from "../../../emulator/memory/layout.ts";

export function makeWords(): MachineWords {
  const buffer = new ArrayBuffer(TLB_BASE);
  return { i32: new Int32Array(buffer), f64: new Float64Array(buffer) };
}
