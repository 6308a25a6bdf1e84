// Requests to the server.

import { authorization } from "./token.js";

/** A request that failed: the HTTP status (0 if there was no answer, below 0 if nothing was sent) and the sentence to show. */
export class Failure extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// In place of an HTTP status.
const GONE = -1;

const NO_ANSWER =
  "The connection ended before there was an answer. The file may be larger than the server accepts, or the server has stopped.";

/**
 * Send a song and return the server's answer.
 *
 * XMLHttpRequest, because fetch does not tell how much of an upload has been sent.
 *
 * @param {File} file
 * @param {{name: string, picture: boolean, onSent: (share: number) => void, signal: AbortSignal}} options
 */
export async function estimate(file, { name, picture, onSent, signal }) {
  // Otherwise a file that has gone looks like a server that has gone.
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Failure(GONE, "The file cannot be read any more. It may have been moved; add it again.");
  });
  // The song may have been removed meanwhile.
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", picture ? "/estimate?over_time=5&picture=1" : "/estimate");
    for (const [header, value] of Object.entries(authorization())) request.setRequestHeader(header, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => onSent(event.total ? event.loaded / event.total : 0);
    request.upload.onload = () => onSent(1);
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(failure(request.status, request.response, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Failure(0, NO_ANSWER));
    request.onabort = () => reject(new DOMException("The request was given up.", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file, name);
    request.send(form);
  });
}

/** GET something small; the response, or a Failure. */
export async function get(address) {
  let response;
  try {
    response = await fetch(address, { headers: authorization(), cache: "no-store" });
  } catch {
    throw new Failure(0, "The server does not answer.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw failure(response.status, body, response.headers.get("Retry-After"));
}

/** POST without a body, and without waiting for the answer; it also goes out while the page closes. */
export function tell(address) {
  fetch(address, { method: "POST", headers: authorization(), keepalive: true }).catch(() => {});
}

function failure(status, body, retryAfter) {
  const sentence = typeof body?.error === "string" ? body.error : `The server answered with status ${status}.`;
  const seconds = Number(retryAfter);
  return new Failure(status, sentence, retryAfter !== null && Number.isFinite(seconds) ? seconds : null);
}
