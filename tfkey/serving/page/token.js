// The token that a server beyond the loopback address asks for.

import { byId, setText } from "./dom.js";
import { recall, remember } from "./memory.js";

const NAME = "tfkey-token";

/** The words after the # of the address, as a map; a token among them is kept, and taken out of the address. */
export function readFragment() {
  const words = new URLSearchParams(location.hash.slice(1));
  if (words.has("token")) {
    remember(NAME, words.get("token"));
    words.delete("token");
    const rest = words.toString().replace(/=(?=&|$)/g, "");
    history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  }
  return words;
}

/** The headers that a request needs. */
export function authorization() {
  const token = recall(NAME);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

let answered = null;

/** Ask for the token in a dialog; the promise ends once one is given. Several callers share one dialog. */
export function askForToken() {
  if (answered) return answered;
  const dialog = byId("token-dialog");
  const field = byId("token");
  setText(byId("token-problem"), recall(NAME) ? "The server did not accept that token." : "");
  field.value = "";
  dialog.showModal();
  answered = new Promise((resolve) => {
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      const token = field.value.trim();
      if (!token) {
        setText(byId("token-problem"), "Enter the token.");
        field.focus();
        return;
      }
      remember(NAME, token);
      answered = null;
      dialog.close();
      resolve();
    };
    // There is nothing to go back to without a token.
    dialog.oncancel = (event) => event.preventDefault();
  });
  return answered;
}
