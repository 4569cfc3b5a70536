// The volume in NiiVue, where there is a graphics card. Slices are 0-based, as in the assessment.
import { get } from "./api.js";
import { FROM, FULL } from "./heat.js";
import { MULTIPLANAR_TYPE, Niivue, SHOW_RENDER, SLICE_TYPE } from "./vendor/niivue.js";

const PLANES = { sagittal: SLICE_TYPE.SAGITTAL, coronal: SLICE_TYPE.CORONAL, axial: SLICE_TYPE.AXIAL, all: SLICE_TYPE.MULTIPLANAR };
const BY_AXIS = ["sagittal", "coronal", "axial"]; // the plane across each axis of the patient (R, A, S)

export async function open(canvas, data, onSlice) {
  const answer = await get(data.url);
  const file = URL.createObjectURL(await answer.blob());
  canvas.hidden = false;
  const nv = new Niivue({
    backColor: [0, 0, 0, 1], isRadiologicalConvention: true, sagittalNoseLeft: true, isColorbar: false, isOrientCube: false,
    crosshairWidth: 0, loadingText: "", dragAndDropEnabled: false, viewModeHotKey: "", clipPlaneHotKey: "", isNearestInterpolation: false,
    fontColor: [0.6, 0.65, 0.7, 1], logLevel: "error", sliceType: SLICE_TYPE.AXIAL, multiplanarLayout: MULTIPLANAR_TYPE.GRID,
    multiplanarShowRender: SHOW_RENDER.NEVER, // casting rays takes minutes on a machine without a graphics card
  });
  const { low, high } = data.windows[0];
  const limits = typeof low === "number" ? { cal_min: low, cal_max: high } : {};
  await nv.attachToCanvas(canvas);
  await nv.loadVolumes([{ url: file, name: "volume.nii.gz", ...limits }]);
  URL.revokeObjectURL(file);
  const volume = nv.volumes[0];
  const axis = volume.permRAS.findIndex((one) => Math.abs(one) === 3); // where the stack runs in the patient
  const flipped = volume.permRAS[axis] < 0;
  const auto = [volume.cal_min, volume.cal_max];
  const stack = BY_AXIS[axis];
  let shown = "stack";

  const toFraction = (index) => { const f = (index + 0.5) / data.slices; return flipped ? 1 - f : f; };
  const toIndex = (fraction) => Math.floor((flipped ? 1 - fraction : fraction) * data.slices - 1e-6);

  nv.onLocationChange = () => {
    const index = Math.min(Math.max(toIndex(nv.scene.crosshairPos[axis]), 0), data.slices - 1);
    onSlice(index);
  };

  const handle = {
    goTo(index) {
      const position = [...nv.scene.crosshairPos];
      position[axis] = toFraction(index);
      nv.scene.crosshairPos = position;
      nv.drawScene();
    },
    window({ low, high }) {
      const span = volume.global_max - volume.global_min;
      const limit = (value, automatic) => value === null ? automatic
        : value === "min" ? volume.global_min
          : value === "max" ? volume.global_max
            : typeof value === "number" && value > 0 && value < 1 ? volume.global_min + value * span : value;
      volume.cal_min = limit(low, auto[0]);
      volume.cal_max = limit(high, auto[1]);
      nv.updateGLVolume();
    },
    plane(name) {
      shown = name === "all" && shown === "all" ? "stack" : name === stack ? "stack" : name;
      nv.opts.crosshairWidth = shown === "all" ? 1 : 0;
      nv.setSliceType(PLANES[shown === "stack" ? stack : shown]);
      return shown;
    },
    async heatmap(opacity) {
      if (opacity && nv.volumes.length < 2) {
        const map = await get(data.heatmap.url);
        const place = URL.createObjectURL(await map.blob());
        await nv.addVolumeFromUrl({ url: place, name: "heat.nii.gz", colormap: "warm", cal_min: FROM, cal_max: FULL, opacity });
        URL.revokeObjectURL(place);
      }
      if (nv.volumes.length > 1) nv.setOpacity(1, opacity);
    },
  };
  handle.plane("stack");
  return handle;
}
