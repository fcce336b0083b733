/**
 * Verifying without freezing the page: a worker made of this page's own program, and the main thread where there is none.
 *
 * Every question to the worker has a number, and its answer the same one: files may change while the worker is busy, and the answer about
 * the old files must never be taken for one about the new.
 */

import { reportJson } from "../verify/json.js";
import { verify } from "../verify/verify.js";

/** @typedef {ReturnType<typeof reportJson> & {picture: import("../verify/picture.js").Picture | null}} Answer */

/** @param {import("../verify/verify.js").Files} files @returns {Answer} */
function answerTo(files) {
  const report = verify(files);
  return { ...reportJson(report), picture: report.picture };
}

/** What the program does inside a worker. */
export function serve() {
  self.onmessage = ({ data }) => {
    const { number, files } = data;
    try {
      self.postMessage({ number, answer: answerTo(files) });
    } catch (error) {
      self.postMessage({ number, broken: String(error) });
    }
  };
}

/** Served pages ask for Trusted Types; this page's one policy lets through the address of its own program. @param {string} address @returns {string} */
function trusted(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  return types ? types.createPolicy("lotroom-verify", { createScriptURL: (/** @type {string} */ own) => own }).createScriptURL(address) : address;
}

/** @param {string} program the text of this page's program @returns {Promise<Worker>} a worker that has answered */
function startWorker(program) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(trusted(URL.createObjectURL(new Blob([program], { type: "text/javascript" }))));
    worker.onerror = () => reject(new Error("no worker"));
    worker.onmessage = () => resolve(worker);
    worker.postMessage({ number: 0, files: { proof: new Uint8Array(0) } });
  });
}

/** @type {Promise<Worker | null> | null} */
let ready = null;
let asked = 0;

/** @param {import("../verify/verify.js").Files} files @param {string} program @returns {Promise<Answer>} */
export async function run(files, program) {
  ready ??= Promise.resolve().then(() => startWorker(program)).catch(() => null);
  const worker = await ready;
  if (!worker) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return answerTo(files);
  }
  return new Promise((resolve, reject) => {
    const number = ++asked;
    /** @param {MessageEvent} event */
    const hear = ({ data }) => {
      if (data.number !== number) return;
      worker.removeEventListener("message", hear);
      if (data.answer) resolve(data.answer);
      else reject(new Error(data.broken));
    };
    worker.addEventListener("message", hear);
    worker.postMessage({ number, files });
  });
}
