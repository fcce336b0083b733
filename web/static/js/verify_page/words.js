/**
 * The page's own words, Chinese and English, and how it writes times, numbers and digests. Texts of codes are in verify/texts.js.
 */

import { TEXT } from "../verify/texts.js";

/** @typedef {"zh" | "en"} Lang */

/** @type {Record<string, [string, string]>} */
const WORDS = {
  title: ["抽取核验", "Verify a draw"],
  lead: [
    "把抽取的证明文件和您另外取得的密钥清单放到这里，本页就在您的电脑上逐项核对。文件不会离开本机，也不需要网络。",
    "Put the draw's proof and the key list you obtained elsewhere here: this page checks everything on your own machine. No file leaves it, and it needs no network.",
  ],
  language: ["English", "中文"],
  language_label: ["Switch to English", "切换到中文"],
  theme: ["明暗", "Light / dark"],
  theme_label: ["切换浅色与深色", "Switch between light and dark"],
  files: ["文件", "Files"],
  choose: ["选择文件", "Choose files"],
  drop: ["或将文件拖到本页任意处，可一次多个，次序不限", "or drop them anywhere on this page, several at once, in any order"],
  proof: ["证明", "Proof"],
  keys: ["密钥清单", "Key list"],
  roll: ["无名名册", "Nameless roll"],
  receipt: ["专家回执", "Expert's receipt"],
  proof_hint: ["proof.json，必需", "proof.json, required"],
  keys_hint: ["keys.json，请从可信的另一途径取得", "keys.json, obtained from a source you trust"],
  roll_hint: ["roll.bin，可选：重新抽签和计算机会", "roll.bin, optional: draws again and counts the chances"],
  receipt_hint: ["receipt.json，可选：专家核对本人", "receipt.json, optional: for the expert concerned"],
  remove: ["移除", "Remove"],
  not_given: ["未提供", "not given"],
  ready_for_files: ["请先放入证明文件和密钥清单。", "Begin with the proof and the key list."],
  missing_proof: ["还缺：证明文件。", "Still missing: the proof."],
  missing_keys: ["还缺：密钥清单。没有它，签名和时间都无从证明。", "Still missing: the key list. Without it neither signatures nor times are shown."],
  missing_optional: ["如需核对更多，可再放入：{list}。", "To see more, add: {list}."],
  nothing_missing: ["本页能读的文件都已放入。", "All files that this page reads are here."],
  unknown_file: ["无法识别文件“{name}”，未采用。", "The file “{name}” is not recognised and was left aside."],
  supervisor_file: ["“{name}”是监督人的材料，本页不读取；请用 verify 命令核对。", "“{name}” is for supervisors; this page does not read it. Use the verify command."],
  too_large: ["文件“{name}”过大，未采用。", "The file “{name}” is too large and was left aside."],
  working: ["正在核验……", "Verifying …"],
  verdict: ["核验结论", "Verdict"],
  good: ["全部通过", "Everything passed"],
  incomplete: ["所做的检查均通过", "All checks that could be made passed"],
  failed: ["不通过", "Not valid"],
  good_line: ["{passed} 项检查全部通过。", "All {passed} checks passed."],
  incomplete_line: ["{passed} 项通过，没有不通过；另有 {skipped} 项因缺少材料而未检查。", "{passed} passed, none failed; {skipped} could not be made with the files given."],
  failed_line: ["{failed} 项不通过，{passed} 项通过。这份证明不能作为抽取真实的依据。", "{failed} failed, {passed} passed. This proof does not show that the draw was true."],
  failed_first: ["不通过的检查", "What failed"],
  not_shown: ["没有证明的事", "What is not shown"],
  not_shown_lead: ["即使检查都通过，以下各点也没有得到证明，请留意：", "Even where all checks pass, the following is not shown:"],
  picture: ["抽取过程", "The draw at a glance"],
  pool: ["名单", "Pool"],
  pool_note: ["条加盖编号的记录（含填充项）", "blinded records (some are padding)"],
  eligible: ["合格", "Eligible"],
  eligible_note: ["人在无名名册上", "people on the nameless roll"],
  eligible_unknown: ["放入名册后可见", "shown with the roll"],
  panel: ["抽中", "Drawn"],
  panel_note: ["个席位", "slots of the panel"],
  replaced: ["接替", "Replaced"],
  replaced_note: ["次递补或补抽", "step-ins and replacements"],
  seat: ["席位类别 {n}", "Seat {n}"],
  seat_line: ["{count} 人，备选 {reserves} 人；专业 {professions}", "{count} to be drawn, {reserves} in reserve; professions {professions}"],
  site: ["会场 {site}", "site {site}"],
  slot: ["席位 {n}", "Slot {n}"],
  reserve_slot: ["备选 {n}", "Reserve {n}"],
  state_pending: ["待答复", "pending"],
  state_accepted: ["参加", "accepted"],
  state_left: ["退出", "left"],
  state_used: ["已递补", "stepped in"],
  state_appointed: ["直接确定", "chosen directly"],
  state_empty: ["空缺", "empty"],
  how_result: ["首次抽取", "first lots"],
  how_stepped_in: ["备选递补", "reserve stepped in"],
  how_replaced: ["第 {round} 轮补抽", "lots of round {round}"],
  caution: ["以下是这份未通过核验的证明自己所说的内容。", "This is what a proof that did not pass says of itself."],
  anonymous: ["每个圆点是一个人，只有编号，没有姓名。", "Each dot is a person: a number, no name."],
  lots: ["随机种子", "Seeds"],
  seed: ["种子", "seed"],
  times: ["时间", "Times"],
  zone: ["时间均为北京时间（Asia/Shanghai，UTC+8）。", "All times are Beijing time (Asia/Shanghai, UTC+8)."],
  facts: ["基本情况", "Facts"],
  fact_project: ["项目标识", "Project tag"],
  fact_log: ["日志", "Log"],
  fact_keys: ["密钥清单", "Key list"],
  fact_keys_value: ["第 {version} 版，摘要", "version {version}, digest"],
  fact_keys_hint: ["请与公布的摘要逐字核对", "compare it with the published digest"],
  fact_attempts: ["抽取次数", "Attempts"],
  fact_method: ["方法", "Method"],
  fact_beacon: ["信标", "Beacon"],
  fact_total: ["合法组成方案", "Lawful panels"],
  fact_weight: ["合法组成方案的总权重", "Weight of all lawful panels"],
  fact_chances: ["每人被抽中的机会", "Chances"],
  fact_chances_value: ["最小 {smallest}，最大 {largest}", "{smallest} at least, {largest} at most"],
  method_uniform: ["每种合法组成机会相同（uniform/1）", "every lawful panel equally likely (uniform/1)"],
  method_fair: ["各人机会尽量均等（fair/1）", "chances as equal as the law allows (fair/1)"],
  no_beacon: ["不使用信标，以抽取密钥代替", "none; a draw key stands in"],
  checks: ["逐项检查", "All checks"],
  counts: ["通过 {passed} / {all}", "{passed} of {all} passed"],
  fault: ["问题", "Faults"],
  flag: ["备注", "Notes"],
  more_faults: ["另有 {count} 处", "and {count} more"],
  reason: ["原因", "Reason"],
  footer: ["Lotroom 核验页 {version}", "Lotroom verification page {version}"],
  digest: ["本页程序的 SHA-256", "SHA-256 of this page's program"],
  offline: ["本页不连接网络，也不保存任何内容。", "This page makes no connection and keeps nothing."],
  broken: ["核验程序出错：{why}。请换一个浏览器，或使用 verify 命令。", "The verifier stopped: {why}. Try another browser, or the verify command."],
  type_opened: ["开始", "opened"],
  type_committed: ["名单固定", "pool fixed"],
  type_result: ["抽取结果", "result"],
  type_stepped_in: ["备选递补", "reserves stepped in"],
  type_replaced: ["补抽", "replacement lots"],
  type_extended: ["放宽条件", "terms widened"],
  type_appointed: ["直接确定", "direct choice"],
  type_unsealed: ["启封姓名", "names opened"],
  type_closed: ["结束", "closed"],
  type_abandoned: ["中止", "abandoned"],
};

/** The page's words in one language. @param {Lang} lang @param {string} key @param {Record<string, unknown>} [params] */
export function say(lang, key, params = {}) {
  const pair = WORDS[key];
  return pair ? fill(pair[lang === "zh" ? 0 : 1], params) : key;
}

/** One of a pair. @param {Lang} lang @param {[string, string] | undefined} pair @param {string} code */
export function of(lang, pair, code) {
  return pair ? pair[lang === "zh" ? 0 : 1] : code;
}

/** The text of a fault; the code itself where there is none. @param {Lang} lang @param {{code: string, params: Record<string, unknown>}} finding */
export function sayFault(lang, { code, params }) {
  return fill(of(lang, TEXT[code], code), params);
}

/** @param {string} text @param {Record<string, unknown>} params */
function fill(text, params) {
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** Beijing time. @param {number} seconds Unix */
export function clock(seconds) {
  const text = new Date((seconds + 8 * 3600) * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** Digits in groups of three; very long numbers by their size. @param {string} digits */
export function grouped(digits) {
  if (digits.length > 24) return `${digits[0]}.${digits.slice(1, 4)} × 10^${digits.length - 1}`;
  return digits.replace(/\B(?=(?:[0-9]{3})+$)/g, "\u2009");
}

/** Hex in groups of eight. @param {string} hex */
export function spaced(hex) {
  return (hex.match(/.{1,8}/g) ?? []).join(" ");
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 2 ** 20 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
