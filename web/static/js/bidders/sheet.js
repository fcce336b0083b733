/**
 * A list of bidders from pasted text or a csv file: the same rows as server/bidders.py reads, refused under the same codes.
 */

import { Refused } from "../verify/bytes.js";

const TITLES = ["投标人名称", "投标人", "名称", "name", "bidder"];

/** Rows of cells; quotes as RFC 4180 has them. @param {string} source @returns {string[][]} */
export function rowsOf(source) {
  const text = source.replace(/^\ufeff/, "").replace(/，/g, ",");
  const mark = text.includes("\t") ? "\t" : ",";
  const rows = [[""]];
  let quoted = false;
  for (let n = 0; n < text.length; n++) {
    const row = rows[rows.length - 1];
    const sign = text[n];
    if (quoted) {
      if (sign !== '"') row[row.length - 1] += sign;
      else if (text[n + 1] === '"') row[row.length - 1] += text[++n];
      else quoted = false;
    } else if (sign === '"' && row[row.length - 1] === "") quoted = true;
    else if (sign === mark) row.push("");
    else if (sign === "\n") rows.push([""]);
    else if (sign !== "\r") row[row.length - 1] += sign;
  }
  if (quoted) throw new Refused("not_a_table");
  return rows;
}

/** @typedef {{code: string, name: string, persons: {id_number: string, name: string, role: string}[]}} Bidder */

/** The bidders in rows of name, code, person, ID number, role. @param {string[][]} rows @returns {Bidder[]} */
export function biddersOf(rows) {
  /** @type {Map<string, Bidder>} */
  const found = new Map();
  rows.forEach((row, number) => {
    const cells = row.map((cell) => cell.trim());
    if (!cells.some(Boolean) || (number === 0 && TITLES.includes(cells[0].toLowerCase()))) return;
    if (cells.slice(5).some(Boolean)) throw new Refused("too_many_columns", { most: 5 });
    const [name = "", code = "", person = "", id = "", role = ""] = cells;
    if (!name && !code) throw new Refused("bidder_without_name", { place: `bidders[${number}]` });
    const key = JSON.stringify([name, code]);
    const bidder = found.get(key) ?? { code, name, persons: [] };
    if (person || id) bidder.persons.push({ id_number: id, name: person, role });
    found.set(key, bidder);
  });
  if (!found.size) throw new Refused("bidders_empty");
  return [...found.values()];
}
