// Numbers as people read them.

/** Seconds as 3:05, or 1:02:03 from an hour on. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** A probability as a whole percentage; 100 % is kept for certainty, and 0 % for impossibility. */
export function percent(probability) {
  const hundredths = Math.round(probability * 100);
  if (hundredths === 100 && probability < 1) return "99 %";
  if (hundredths === 0 && probability > 0) return "< 1 %";
  return `${hundredths} %`;
}

/** A deviation from A4 = 440 Hz in words. */
export function tuning(cents) {
  const whole = Math.round(cents);
  if (whole === 0) return "Tuned to A = 440 Hz";
  const hertz = (440 * 2 ** (cents / 1200)).toFixed(1);
  return `Tuned ${count(Math.abs(whole), "cent")} ${whole > 0 ? "above" : "below"} 440 Hz (A\u00a0=\u00a0${hertz}\u00a0Hz)`;
}

/** A count with its noun: "1 song", "12 songs". */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
