// The part of the WebAssembly JavaScript interface that the machine uses (W3C, WebAssembly JavaScript Interface, 5.3).
// The emulator is checked without the DOM's and Node's types, so that no clock, file or environment is within its reach;
// these shapes are those of TypeScript's DOM library, so that a program which has both sees one and the same type.

declare namespace WebAssembly {
  interface MemoryDescriptor {
    /** Pages of 64 KiB at the start. */
    initial: number;
    /** Pages of 64 KiB that it may grow to. */
    maximum?: number;
    shared?: boolean;
  }

  interface Memory {
    readonly buffer: ArrayBuffer;
    /** Grow by so many pages; the number of pages before is returned, and `buffer` is another object afterwards. */
    grow(delta: number): number;
  }

  var Memory: {
    prototype: Memory;
    new (descriptor: MemoryDescriptor): Memory;
  };
}
