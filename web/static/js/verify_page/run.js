/**
 * Verifying without freezing the page: a worker made of this page's own program, and the main thread where there is none.
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
    try {
      self.postMessage({ answer: answerTo(data) });
    } catch (error) {
      self.postMessage({ broken: String(error) });
    }
  };
}

/** @param {string} program the text of this page's program @returns {Promise<Worker>} a worker that has answered */
function startWorker(program) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
    worker.onerror = () => reject(new Error("no worker"));
    worker.onmessage = () => resolve(worker);
    worker.postMessage({ proof: new Uint8Array(0) });
  });
}

/** @type {Promise<Worker | null> | null} */
let ready = null;

/** @param {import("../verify/verify.js").Files} files @param {string} program @returns {Promise<Answer>} */
export async function run(files, program) {
  ready ??= Promise.resolve().then(() => startWorker(program)).catch(() => null);
  const worker = await ready;
  if (!worker) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return answerTo(files);
  }
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.answer ? resolve(data.answer) : reject(new Error(data.broken)));
    worker.postMessage(files);
  });
}
