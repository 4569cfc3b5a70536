// Which way voxel axes run in the patient, and how each plane is looked at: the patient's right on the left, the front
// on top (axial) or on the left (sagittal), the head on top (coronal, sagittal).
const LETTERS = [["R", "L"], ["A", "P"], ["F", "H"]]; // towards less, towards more, in LPS
const LOOK = [ // across each patient axis: [axis to the right, its sign], [axis downwards, its sign]
  [[1, 1], [2, -1]],
  [[0, 1], [2, -1]],
  [[0, 1], [1, 1]],
];

export class Patient {
  // affine: 4 x 4, (column, row, slice) to LPS; counts and mm along column, row and slice axis
  constructor(affine, counts, mm) {
    this.counts = counts;
    this.mm = mm;
    const column = (axis) => [0, 1, 2].map((row) => affine[row][axis] / (mm[axis] || 1));
    const sizes = [0, 1, 2].map((axis) => column(axis).map(Math.abs));
    this.axes = [];
    const free = new Set([0, 1, 2]);
    for (const axis of [2, 0, 1]) { // the stack chooses first; oblique ones share no patient axis
      const best = [...free].reduce((a, b) => (sizes[axis][b] > sizes[axis][a] ? b : a));
      free.delete(best);
      this.axes[axis] = { patient: best, sign: column(axis)[best] < 0 ? -1 : 1 };
    }
  }

  across(axis) {
    return this.axes[axis].patient;
  }

  // How the plane across a voxel axis is drawn: voxel axes to the right and downwards, and letters at its edges.
  seen(axis) {
    const [right, below] = LOOK[this.across(axis)];
    const along = ([patient, sign]) => {
      const own = this.axes.findIndex((one) => one.patient === patient);
      const step = this.axes[own].sign * sign;
      return { axis: own, sign: step, start: step < 0 ? this.counts[own] - 1 : 0, count: this.counts[own], mm: this.mm[own] };
    };
    const before = ([patient, sign]) => LETTERS[patient][sign > 0 ? 0 : 1];
    return { across: along(right), down: along(below), letters: { left: before(right), top: before(below) } };
  }
}
