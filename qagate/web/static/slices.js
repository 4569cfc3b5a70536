// The volume slice by slice on a plain canvas: it needs no graphics card, and shows the first slice before the last has
// come. Slices are 0-based, as in the assessment. The affine maps (column, row, slice) to LPS.
import { get } from "./api.js";
import { heatPicture, loadHeat } from "./heat.js";
import { Patient } from "./patient.js";

const PLANES = ["sagittal", "coronal", "axial"]; // the plane across each patient axis x, y, z

export async function open(canvas, data, onSlice) {
  const answer = await get(data.url);
  const voxels = new Voxels(answer.body.pipeThrough(new DecompressionStream("gzip")), data);
  await voxels.until(data.start);
  canvas.hidden = false;
  return new Slices(canvas, data, voxels, onSlice);
}

// The voxels as they come: (slices, rows, columns), int16 or float32.
class Voxels {
  constructor(stream, data) {
    this.plane = data.rows * data.columns;
    this.total = data.slices;
    this.arrived = 0; // whole slices
    this.waiting = [];
    this.error = null;
    this.read(stream.getReader()).catch((error) => { this.error = error; this.tell(); });
  }

  async read(reader) {
    let head = new Uint8Array(0);
    let bytes = null;
    let filled = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      let part = value;
      if (!bytes) {
        const longer = new Uint8Array(head.length + part.length);
        longer.set(head);
        longer.set(part, head.length);
        head = longer;
        if (head.length < 352) continue;
        const size = new DataView(head.buffer).getInt16(72, true) / 8;
        const buffer = new ArrayBuffer(this.plane * this.total * size);
        this.values = size === 2 ? new Int16Array(buffer) : new Float32Array(buffer);
        this.bytesEach = this.plane * size;
        bytes = new Uint8Array(buffer);
        part = head.subarray(352);
      }
      bytes.set(part.subarray(0, bytes.length - filled), filled);
      filled = Math.min(filled + part.length, bytes.length);
      this.arrived = Math.floor(filled / this.bytesEach);
      this.tell();
    }
    if (this.arrived < this.total) throw new Error("the volume ended early");
  }

  tell() {
    this.waiting = this.waiting.filter(({ index, done, failed }) => {
      if (this.error) failed(this.error);
      else if (this.arrived > index) done();
      else return true;
      return false;
    });
  }

  until(index) {
    return new Promise((done, failed) => { this.waiting.push({ index, done, failed }); this.tell(); });
  }
}

class Slices {
  constructor(canvas, data, voxels, onSlice) {
    Object.assign(this, { canvas, data, voxels, onSlice });
    this.patient = new Patient(data.affine, [data.columns, data.rows, data.slices], data.spacing);
    this.shown = [2]; // voxel axes across which the planes on the canvas lie
    this.at = [Math.floor(data.columns / 2), Math.floor(data.rows / 2), data.start];
    this.heat = null;
    this.opacity = 0; // of the heatmap
    this.range = this.sampled();
    this.window(data.windows[0]);
    this.listen();
  }

  goTo(index) {
    this.at[2] = index;
    this.draw();
    if (this.voxels.arrived <= index) this.voxels.until(index).then(() => this.draw(), () => {});
  }

  window({ low, high }) {
    const { first, last, darkest, brightest } = this.range;
    const limit = (value, automatic) => value === null ? automatic : value === "min" ? darkest : value === "max" ? brightest
      : value > 0 && value < 1 ? darkest + value * (brightest - darkest) : value;
    this.limits = [limit(low, first), limit(high, last)];
    this.draw();
  }

  plane(name) {
    const axis = PLANES.indexOf(name);
    const stack = name === "stack" || axis === this.patient.across(2) || (name === "all" && this.shown.length > 1);
    this.shown = stack ? [2] : name === "all" ? [2, 1, 0] : [[0, 1, 2].find((one) => this.patient.across(one) === axis)];
    if (!stack) this.voxels.until(this.data.slices - 1).then(() => this.draw(), () => {});
    this.draw();
    return stack ? "stack" : name;
  }

  async heatmap(opacity) {
    this.opacity = opacity;
    if (opacity) this.heat ??= await loadHeat(this.data.heatmap);
    this.draw();
  }

  // 1st and 99.5th percentile, least and greatest of the non-zero voxels of the first slice shown
  sampled() {
    const { plane, values } = this.voxels;
    const found = [];
    for (let i = this.data.start * plane; i < (this.data.start + 1) * plane; i += 7) if (values[i] !== 0) found.push(values[i]);
    found.sort((a, b) => a - b);
    const nth = (share) => found[Math.floor((found.length - 1) * share)] ?? 0;
    return { first: nth(0.01), last: Math.max(nth(0.995), nth(0.01) + 1), darkest: nth(0), brightest: Math.max(nth(1), nth(0) + 1) };
  }

  draw() {
    const scale = devicePixelRatio;
    const [width, height] = [this.canvas.clientWidth * scale, this.canvas.clientHeight * scale];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d");
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    const boxes = this.shown.length === 1 ? [[0, 0, width, height]]
      : [[0, 0, width * 0.6, height], [width * 0.6, 0, width * 0.4, height / 2], [width * 0.6, height / 2, width * 0.4, height / 2]];
    this.shown.forEach((axis, i) => this.drawPlane(pen, axis, boxes[i], scale));
  }

  drawPlane(pen, axis, [left, top, width, height], scale) {
    const { across, down, letters } = this.patient.seen(axis);
    const picture = this.picture(axis, across, down);
    const [w, h] = [across.count * across.mm, down.count * down.mm];
    const zoom = Math.min(width / w, height / h);
    pen.imageSmoothingQuality = "high";
    const [x, y] = [left + (width - w * zoom) / 2, top + (height - h * zoom) / 2];
    pen.drawImage(picture, x, y, w * zoom, h * zoom);
    if (this.heat && this.opacity) {
      const warm = heatPicture(this.heat, axis, this.at[axis], across, down);
      const [right, below] = [across.mm * zoom, down.mm * zoom];
      pen.save();
      pen.beginPath();
      pen.rect(x, y, w * zoom, h * zoom);
      pen.clip();
      pen.globalAlpha = this.opacity;
      pen.imageSmoothingQuality = "low"; // bilinear: no seams at the edges of cells
      pen.drawImage(warm.canvas, x + warm.left * right, y + warm.top * below, warm.width * right, warm.height * below);
      pen.restore();
    }
    pen.fillStyle = "#9aa7b4";
    pen.font = `${12 * scale}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.fillText(letters.top, left + width / 2, top + 16 * scale);
    pen.fillText(letters.left, left + 12 * scale, top + height / 2);
  }

  picture(axis, across, down) {
    const image = new ImageData(across.count, down.count);
    const grey = new Uint32Array(image.data.buffer);
    const { values, plane, arrived } = this.voxels;
    const steps = [1, this.data.columns, plane];
    const [low, high] = this.limits;
    const gain = 255 / (high - low);
    const base = this.at[axis] * steps[axis] + across.start * steps[across.axis] + down.start * steps[down.axis];
    const [stepX, stepY] = [across.sign * steps[across.axis], down.sign * steps[down.axis]];
    const end = arrived * plane;
    let to = 0;
    for (let y = 0; y < down.count; y += 1) {
      let from = base + y * stepY;
      for (let x = 0; x < across.count; x += 1, from += stepX) {
        const value = from < end ? (values[from] - low) * gain : 0;
        const g = value <= 0 ? 0 : value >= 255 ? 255 : value | 0;
        grey[to++] = 0xff000000 | (g << 16) | (g << 8) | g;
      }
    }
    const canvas = new OffscreenCanvas(across.count, down.count);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  listen() {
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.step(Math.sign(event.deltaY));
    }, { passive: false });
    this.canvas.addEventListener("pointermove", (event) => { // dragging changes the window, as people are used to
      if (!(event.buttons & 1)) return;
      const [low, high] = this.limits;
      const step = (high - low) / 250;
      const width = Math.max((high - low) + event.movementX * step, step);
      const centre = (low + high) / 2 + event.movementY * step;
      this.limits = [centre - width / 2, centre + width / 2];
      this.draw();
    });
  }

  step(by) {
    const axis = this.shown[0];
    const last = [this.data.columns, this.data.rows, this.data.slices][axis] - 1;
    this.at[axis] = Math.min(Math.max(this.at[axis] + by, 0), last);
    if (axis === 2) this.onSlice(this.at[2]);
    this.draw();
  }
}
