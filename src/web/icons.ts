/** Outlines on a field of 24 by 24. */
const OUTLINES = {
  back: 'M15 5l-7 7 7 7',
  plus: 'M12 5v14M5 12h14',
  pencil: 'M4 20l1-4L16 5l3 3L8 19z',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  share: 'M12 15V4M8 8l4-4 4 4M5 13v6h14v-6',
  light:
    'M12 8a4 4 0 100 8 4 4 0 000-8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4M5.6 18.4L7 17M17 7l1.4-1.4',
  document: 'M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5',
} as const;

const SVG = 'http://www.w3.org/2000/svg';

/** A picture that says nothing a label does not say. */
export function icon(name: keyof typeof OUTLINES): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', OUTLINES[name]);
  svg.append(path);
  return svg;
}
