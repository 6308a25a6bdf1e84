// Waveform and spectrogram on canvases.

// Mako, of seaborn (Waskom 2021): equal steps look equal, also without colour vision and in grey.
const MAKO = [
  [11, 4, 5], [40, 25, 47], [59, 47, 94], [64, 73, 142], [54, 106, 159],
  [52, 138, 166], [56, 170, 172], [84, 201, 173], [160, 223, 185], [222, 245, 229],
];

/** Bytes in base64, as an array of the given type. */
export function bytes(text, Type) {
  const raw = atob(text);
  const array = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) array[i] = raw.charCodeAt(i);
  return new Type(array.buffer);
}

/** Fit a canvas to its place on the screen, in device pixels; returns its context, or null if it has no size. */
function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (!width || !height) return null;
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d");
}

/** Draw the waveform in the canvas's text colour: from the least to the greatest sample of each column. */
export function drawWaveform(canvas, waveform) {
  const context = fit(canvas);
  if (!context || !waveform) return;
  const [low, high] = [bytes(waveform.low, Int8Array), bytes(waveform.high, Int8Array)];
  const { width, height } = canvas;
  // Quiet songs use the height, too; near silence stays flat.
  const peak = Math.max(16, ...high, ...low.map((value) => -Math.max(value, -127)));
  const y = (value) => height / 2 - (value / peak) * (height / 2 - 1);
  context.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * high.length) / width);
    const last = Math.max(first + 1, Math.floor(((x + 1) * high.length) / width));
    let [top, bottom] = [high[first], low[first]];
    for (let column = first + 1; column < last; column++) {
      top = Math.max(top, high[column]);
      bottom = Math.min(bottom, low[column]);
    }
    context.fillRect(x, y(top), 1, Math.max(1, y(bottom) - y(top)));
  }
}

/** Draw the spectrogram, low tones below; quiet is dark in the dark scheme, and light in the light one. */
export function drawSpectrogram(canvas, spectrogram, isDark) {
  const context = fit(canvas);
  if (!context || !spectrogram) return;
  const { columns, bins } = spectrogram;
  const values = bytes(spectrogram.values, Uint8Array);
  const image = new ImageData(columns, bins);
  const colours = palette(isDark);
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      pixels[(bins - 1 - bin) * columns + column] = colours[values[column * bins + bin]];
    }
  }
  const source = document.createElement("canvas");
  [source.width, source.height] = [columns, bins];
  source.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

/** 256 colours, as the bytes of RGBA pixels. */
function palette(isDark) {
  const bytesOfAll = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    // The quiet, of which there is much, moves towards the ground.
    const level = (i / 255) ** 1.6;
    const at = (isDark ? level : 1 - level) * (MAKO.length - 1);
    const index = Math.min(Math.floor(at), MAKO.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [MAKO[index][channel], MAKO[index + 1][channel]];
      bytesOfAll[4 * i + channel] = from + (to - from) * (at - index);
    }
    bytesOfAll[4 * i + 3] = 255;
  }
  return new Uint32Array(bytesOfAll.buffer);
}
