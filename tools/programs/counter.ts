// A first program: every processor adds one to a shared total, 1000 times, under a test-and-set lock.

import { data, dword, ecx, link, proc } from "#asm";

const lock = data("lock", 4);
export const total = data("total", 4);

/** Every processor adds one to a shared total, 1000 times, under a test-and-set lock. */
const main = proc("main", (a) => {
  a.mov(ecx, 1000);
  a.label("acquire");
  a.lock.bts(dword(lock), 0);
  a.jc("spin");
  a.add(dword(total), 1);
  a.mov(dword(lock), 0);
  a.dec(ecx);
  a.jnz("acquire");
  a.hlt();
  a.label("spin"); // read, never write, while another processor has it
  a.pause();
  a.test(dword(lock), 1);
  a.jnz("spin");
  a.jmp("acquire");
});

const image = link(main, { start: "all" });
export default image;
