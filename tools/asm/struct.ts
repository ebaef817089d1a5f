// Structures: named fields with the offsets that natural alignment gives them (SDM vol. 1, 4.1.1), for use in operands.

import { AssemblyError, callSite, type Site } from "./site.ts";

/** What a field can be: a size and an alignment in bytes. */
export interface Type {
  readonly size: number;
  readonly align: number;
}

/** A field of a structure: what `dword(register, Field)` adds to the address. Fields of fields are its properties. */
export interface Field extends Type {
  readonly kind: "field";
  /** `LockQueue.Next` */
  readonly name: string;
  /** Bytes from the start of the outermost structure. */
  readonly offset: number;
}

/** What `array` makes. */
export interface ArrayType<E extends Type> extends Type {
  readonly element: E;
  readonly length: number;
}

/** What `struct` was given: each field's type, in the order of their addresses. */
export type Fields = { readonly [name: string]: Type };

/** What `struct` makes, as a type for a field. */
export interface StructType<F extends Fields> extends Type {
  readonly fields: F;
}

/** A field, with its own fields (a structure) or its elements (an array). */
type FieldOf<T extends Type> = Field &
  (T extends StructType<infer F> ? { readonly [K in keyof F]: FieldOf<F[K]> } : unknown) &
  (T extends ArrayType<infer E> ? { element(index: number): FieldOf<E> } : unknown);

/** A structure: its `size`, and its fields by name. */
export type Struct<F extends Fields = Fields> = StructType<F> & { readonly [K in keyof F]: FieldOf<F[K]> };

const scalar = (size: number): Type => Object.freeze({ size, align: size });

/** Fields of one, two, four and eight bytes, and an address (four). */
export const u8 = scalar(1);
export const u16 = scalar(2);
export const u32 = scalar(4);
export const u64 = scalar(8);
export const ptr = scalar(4);

/** `length` fields of one type, one after the other; `Field.element(index)` is one of them. */
export function array<E extends Type>(element: E, length: number): ArrayType<E> {
  return Object.freeze({ size: element.size * length, align: element.align, element, length });
}

/** A field at an offset of its own, for layouts with holes: `Irql: at(0x24, u8)`. */
export function at<T extends Type>(offset: number, type: T): T {
  return Object.freeze({ ...type, at: offset });
}

/** What a structure says of itself, and so no name for a field. */
const RESERVED = new Set(["kind", "name", "offset", "size", "align", "fields", "element", "length"]);

/**
 * A structure with naturally aligned fields: `struct({ Next: ptr, Lock: ptr })`. The type of a field is a scalar, an
 * array or another structure. Its size is a multiple of its alignment.
 */
export function struct<const F extends Fields>(fields: F): Struct<F> {
  const site = callSite(struct);
  let end = 0;
  let align = 1;
  const placed: { [name: string]: Field } = {};
  for (const [name, type] of Object.entries(fields)) {
    if (RESERVED.has(name))
      throw new AssemblyError(site, `"${name}" is no name for a field: a structure has one itself`);
    const offset = "at" in type ? (type.at as number) : Math.ceil(end / type.align) * type.align;
    if (offset < end)
      throw new AssemblyError(site, `field ${name} at ${offset} overlaps the one before, which ends at ${end}`);
    placed[name] = field(name, offset, type, site);
    end = offset + type.size;
    align = Math.max(align, type.align);
  }
  return Object.freeze({ ...placed, size: Math.ceil(end / align) * align, align, fields }) as unknown as Struct<F>;
}

/** A type placed at an offset, with everything inside it. */
function field(name: string, offset: number, type: Type, site: Site): Field {
  const inner: { [name: string]: unknown } = {};
  if ("fields" in type) {
    const struct = type as Struct;
    for (const key of Object.keys(struct.fields)) {
      const member = struct[key] as Field;
      const memberType = { ...(struct.fields[key] as Type) };
      inner[key] = field(`${name}.${key}`, offset + member.offset, memberType, site);
    }
  }
  if ("element" in type) {
    const { element, length } = type as ArrayType<Type>;
    inner.element = (index: number) => {
      if (Number.isInteger(index) && index >= 0 && index < length) {
        return field(`${name}[${index}]`, offset + index * element.size, element, site);
      }
      throw new AssemblyError(
        callSite(inner.element as () => unknown),
        `${name} has ${length} elements; ${index} was asked for`,
      );
    };
  }
  return Object.freeze({ kind: "field", name, offset, size: type.size, align: type.align, ...inner });
}

/** Whether a value is a field of a structure. */
export function isField(value: unknown): value is Field {
  return typeof value === "object" && value !== null && (value as Field).kind === "field";
}
