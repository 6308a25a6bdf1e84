// The token that a server beyond the loopback address asks for.

import { byId, setText } from "./dom.js";
import { recall, remember } from "./memory.js";

const NAME = "tfkey-token";

/**
 * The words after the # of the address, as a map. A token among them is kept, a ticket is exchanged for one, and
 * both are taken out of the address.
 */
export async function readFragment() {
  const words = new URLSearchParams(location.hash.slice(1));
  const [token, ticket] = ["token", "ticket"].map((name) => words.get(name));
  if (token !== null || ticket !== null) {
    if (token !== null) remember(NAME, token);
    for (const name of ["token", "ticket"]) words.delete(name);
    const rest = words.toString().replace(/=(?=&|$)/g, "");
    history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  }
  if (ticket !== null) await redeem(ticket);
  return words;
}

/** Exchange a ticket for the token. It works once; the page asks for the token if it has been used. */
async function redeem(ticket) {
  const address = `/view/token?ticket=${encodeURIComponent(ticket)}`;
  const answer = await fetch(address, { method: "POST" }).catch(() => null);
  if (answer?.ok) remember(NAME, (await answer.json()).token);
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
