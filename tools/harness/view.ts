// The kernel's structures as objects: a property a field, read from the guest's memory and written to it.

import type { Struct, Type } from "#asm";

/** Where the bytes of a view are. Addresses are linear. */
export interface ByteStore {
  load(address: number, bytes: number): number;
  store(address: number, bytes: number, value: number): void;
}

type Fields = { readonly [name: string]: Type };

/** A field as a number (unsigned), as a view of its own, or as a list of these. */
type ViewOfType<T extends Type> = T extends { readonly fields: infer F extends Fields }
  ? View<F>
  : T extends { readonly element: infer E extends Type }
    ? readonly ViewOfType<E>[]
    : number;

/** A structure in the guest's memory. */
export type View<F extends Fields = Fields> = { -readonly [K in keyof F]: ViewOfType<F[K]> } & {
  /** Linear address of its first byte. */
  readonly address: number;
};

/** The structure that `type` describes, at a linear address. */
export function viewOf<F extends Fields>(memory: ByteStore, type: Struct<F>, address: number): View<F> {
  const view = { address };
  for (const name of Object.keys(type.fields)) {
    const { offset } = type[name] as unknown as { readonly offset: number };
    define(memory, view, name, type.fields[name] as Type, address + offset);
  }
  return view as unknown as View<F>;
}

function define(memory: ByteStore, view: object, name: string, type: Type, address: number): void {
  const { size } = type;
  if ("fields" in type || "element" in type) {
    let inner: unknown; // made when somebody asks: most parts of a KPCR nobody does
    Object.defineProperty(view, name, {
      enumerable: true,
      get: () => {
        inner ??= innerOf(memory, type, address);
        return inner;
      },
    });
    return;
  }
  Object.defineProperty(view, name, {
    enumerable: true,
    get: () => memory.load(address, size),
    set: (value: number) => memory.store(address, size, value),
  });
}

/** A view or a list of a type that is no number. */
function innerOf(memory: ByteStore, type: Type, address: number): unknown {
  if ("fields" in type) return viewOf(memory, type as Struct, address);
  const { element, length } = type as Type & { readonly element: Type; readonly length: number };
  const list: unknown[] = [];
  for (let index = 0; index < length; index++)
    define(memory, list, `${index}`, element, address + index * element.size);
  return list;
}
