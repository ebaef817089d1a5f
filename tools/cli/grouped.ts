/** A whole number with its digits in groups of three. Intl has the same, after loading what it knows of languages: 20 ms. */
export const grouped = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/g, ",");
