// What one operation of a Yjs session may have (EO12). The server refuses more, and the client library divides what has more.

/**
 * Structs and deleted ranges of one update together. In 128 KiB some 25,000 of the smallest structs fit; more than these is nobody's
 * editing at once, and costs every reader far more than its bytes.
 */
export const MAX_PARTS = 32_768;
/**
 * Yjs looks at every item between the places that an item names, so applying costs up to the square of the parts: with these at most a
 * tenth of a second. Typing has a few, and a page that is pasted some hundred. What has more is tried on the document first.
 */
export const MAX_UNTRIED_PARTS = 512;
/** Of shared types inside each other, by one update: Yjs deletes them by recursion. Paragraphs in lists in tables are ten deep. */
export const MAX_TYPE_DEPTH = 100;
/** However few its bytes, a subdocument is a whole Y.Doc for every reader. */
export const MAX_SUBDOCUMENTS = 64;
