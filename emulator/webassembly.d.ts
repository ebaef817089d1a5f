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

  // biome-ignore lint/suspicious/noEmptyInterface: opaque, as in the DOM's library
  interface Module {}
  var Module: {
    prototype: Module;
    /** Compiles at once; throws CompileError for bytes that are no module. */
    new (bytes: BufferSource): Module;
  };

  /** A function, memory or table. */
  type ExportValue = object;
  type ModuleImports = Record<string, ExportValue>;
  type Imports = Record<string, ModuleImports>;
  type Exports = Record<string, ExportValue>;

  interface Instance {
    readonly exports: Exports;
  }
  var Instance: {
    prototype: Instance;
    new (module: Module, importObject?: Imports): Instance;
  };

  interface TableDescriptor {
    element: "anyfunc" | "externref";
    initial: number;
    maximum?: number;
  }
  interface Table {
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
  }
  var Table: {
    prototype: Table;
    new (descriptor: TableDescriptor): Table;
  };
}
