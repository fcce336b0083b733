/**
 * argon2id in a worker. The page's policy names one Trusted Types policy, and that lets through the address of this worker alone.
 */

const ADDRESS = new URL("./stretch_worker.js", import.meta.url).href;

/** @returns {string} */
function trusted() {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return ADDRESS;
  const policy = types.createPolicy("lotroom-worker", {
    createScriptURL: (/** @type {string} */ address) => {
      if (address !== ADDRESS) throw new TypeError("not our worker");
      return address;
    },
  });
  return policy.createScriptURL(ADDRESS);
}

/** @type {Worker | null} */
let worker = null;
let asked = 0;

/** @type {import("./wrap.js").Stretch} */
export function stretch(password, salt, cost) {
  worker ??= new Worker(trusted(), { type: "module" });
  const running = worker;
  const number = ++asked;
  return new Promise((resolve, reject) => {
    const failed = () => reject(new Error("no worker"));
    /** @param {MessageEvent} event */
    const hear = ({ data }) => {
      if (data.number !== number) return;
      running.removeEventListener("message", hear);
      running.removeEventListener("error", failed);
      if (data.made) resolve(data.made);
      else reject(new Error(data.broken));
    };
    running.addEventListener("message", hear);
    running.addEventListener("error", failed);
    running.postMessage({ number, password, salt, cost });
  });
}
