// What is cached of translations and when it goes: few of them, one by one; many, all at once (SDM vol. 3A, 4.10).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { G_STATUS, G_TLB_READ, G_TLB_WRITE, STATUS_EXCEPTION, STATUS_OK } from "../../../emulator/cpu/core.ts";
import * as L from "../../../emulator/memory/layout.ts";
import { Processor } from "./processor.ts";

/** As in `Processor.paging`. */
const TABLE = 0x81000;
const FIRST = 0x10000;
const ENTRY = TABLE + 4 * (FIRST / L.PAGE);

/** A processor that has read and written a word of each of so many pages in rings 0 and 3: four translations a page. */
function touched(pages: number): Processor {
  const p = Processor.flat().paging();
  for (const cpl of [3, 0]) {
    p.set(L.R_CPL, cpl);
    for (let page = 0; page < pages; page++) {
      const linear = FIRST + page * L.PAGE;
      p.core.linear.write32(linear, p.core.linear.read32(linear) + 1);
    }
  }
  assert.is(p.core.g[G_STATUS], STATUS_OK);
  return p;
}

function faults(p: Processor, access: () => void): boolean {
  access();
  const isFault = p.core.g[G_STATUS] === STATUS_EXCEPTION;
  p.core.g[G_STATUS] = STATUS_OK;
  return isFault;
}

const isMapped = (p: Processor, linear: number): boolean => !faults(p, () => p.core.linear.read32(linear));
const isWritable = (p: Processor, linear: number): boolean => !faults(p, () => p.core.linear.write32(linear, 0));

const test = suite("cached translations");

for (const pages of [1, 30, 63, 64, 65, 110]) {
  const last = FIRST + (pages - 1) * L.PAGE;
  const lastEntry = ENTRY + 4 * (pages - 1);

  test(`with ${pages} pages in use: an entry that is cleared counts from the next access on`, () => {
    const p = touched(pages);
    for (let times = 0; times < 2; times++) {
      const entry = p.core.linear.read32(lastEntry);
      p.core.linear.write32(lastEntry, 0);
      assert.not(isMapped(p, last));
      assert.not(isWritable(p, last));
      assert.is(isMapped(p, FIRST), pages > 1);
      p.core.linear.write32(lastEntry, entry);
      assert.ok(isMapped(p, last));
      assert.ok(isWritable(p, last));
    }
  });

  test(`with ${pages} pages in use: writes can be kept from the short way, reads stay`, () => {
    const { core } = touched(pages);
    const { g, linear } = core;
    const isShort = (write: boolean, user: boolean): boolean => {
      g[G_TLB_READ] = g[G_TLB_WRITE] = linear.tlbs.of(0, write, user);
      return (write ? linear.writePointer(last) : linear.readPointer(last)) >= 0;
    };
    const shortWays = (): string => [0, 1, 2, 3].map((i) => Number(isShort(i % 2 === 1, i > 1))).join("");
    assert.is(shortWays(), "1111");
    linear.tlbs.dropWritable();
    assert.is(shortWays(), "1010");
  });

  test(`with ${pages} pages in use: MOV CR3 forgets them all`, () => {
    const p = touched(pages);
    p.poke32(lastEntry, 0);
    p.core.linear.paging.flushNonGlobal();
    assert.not(isMapped(p, last));
  });
}

test.run();
