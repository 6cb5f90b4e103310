// Somebody to be in the examples; an application knows who its users are.

const COLORS = ['#b83280', '#2b6cb0', '#2f855a', '#c05621', '#6b46c1', '#b7791f'];

const number = 1 + Math.floor(Math.random() * 99);

/** As the editors' cursors want it. */
export const guest = { name: `Guest ${number}`, color: COLORS[number % COLORS.length] };
