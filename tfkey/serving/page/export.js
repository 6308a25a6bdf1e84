// The table as files: CSV, and a playlist.

const COLUMNS = [
  "file", "key", "camelot", "open_key", "short", "confidence", "reason", "tuning_cents", "seconds", "warning", "error",
];

/**
 * The songs as CSV, RFC 4180, for spreadsheets; the columns that `tfkey predict` writes, too, have the same names.
 *
 * Spreadsheet programs execute a text that begins like a formula, and files may have any name. Such a text gets an
 * apostrophe in front (OWASP, "CSV Injection"). Numbers stay as they are: a tuning may begin with a minus sign.
 */
export function toCsv(songs) {
  const rows = songs.map(({ path, answer, error }) => [
    text(path), answer?.key, answer?.notations?.camelot, answer?.notations?.open_key, answer?.notations?.short,
    rounded(answer?.key ? answer.confidence : null, 4), text(answer?.reason), rounded(answer?.tuning_cents, 1),
    rounded(answer?.seconds, 2), text(answer?.warning), text(error),
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

/** The songs that were analysed as a playlist, for the folder in which they are. */
export function toM3u(songs) {
  const lines = ["#EXTM3U"];
  for (const { path, name, answer } of songs) {
    // A playlist has one name on each line; a name with a line break cannot be in it.
    if (!answer || /[\r\n]/.test(path)) continue;
    const title = name.replace(/\.[^.]+$/, "");
    lines.push(`#EXTINF:${Math.round(answer.seconds)},${title}${answer.key ? ` (${answer.notations.camelot})` : ""}`);
    // A line that begins with # would be a comment, and blanks at its ends would be lost.
    lines.push(/^[#\s]/.test(path) ? `./${path}` : path);
  }
  return `${lines.join("\n")}\n`;
}

/** Offer a text as a download. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function rounded(number, digits) {
  return number === null || number === undefined ? "" : String(Number(number.toFixed(digits)));
}

/** A text that no spreadsheet takes for a formula, be its sign plain or full-width. */
function text(value) {
  const plain = String(value ?? "");
  return /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/.test(plain) ? `'${plain}` : plain;
}

function field(value) {
  const written = String(value ?? "");
  // Semicolons and tabs, too: some programs take them for the separator.
  return /[",;\t\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
}
