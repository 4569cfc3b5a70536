// The heatmap over the images: where quality is low, coarse, 0 (good) .. 255 (bad).
import { get } from "./api.js";

export const FROM = 32; // below this nothing is tinted: good series stay under about 50
export const FULL = 128; // from here on the tint is full

export async function loadHeat({ url, cell }) {
  const answer = await get(url);
  const raw = await new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  const head = new DataView(raw);
  const counts = [42, 44, 46].map((at) => head.getInt16(at, true)); // columns, rows, slices
  return { values: new Uint8Array(raw, 352), counts, cells: [cell, cell, 1] };
}

// One plane of it as a picture, and where it lies in voxels of the volume from the left and the top of that plane.
export function heatPicture(heat, axis, at, across, down) {
  const { values, counts, cells } = heat;
  const steps = [1, counts[0], counts[0] * counts[1]];
  const [width, height] = [counts[across.axis], counts[down.axis]];
  const image = new ImageData(width, height);
  const base = Math.min(Math.floor(at / cells[axis]), counts[axis] - 1) * steps[axis];
  const along = (way, count, i) => (way.sign < 0 ? count - 1 - i : i) * steps[way.axis];
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += 4) {
      const part = Math.min(Math.max((values[base + along(across, width, x) + along(down, height, y)] - FROM) / (FULL - FROM), 0), 1);
      image.data.set([245, Math.round(190 - 130 * part), 40, Math.round(255 * part)], to); // amber to red, clear where good
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const start = (way, count) => (way.sign < 0 ? way.count - count * cells[way.axis] : 0);
  return { canvas, left: start(across, width), top: start(down, height), width: width * cells[across.axis], height: height * cells[down.axis] };
}
