/**
 * The page of a sealed bidder list: what is pasted or chosen is read and sealed here, and only the sealed bytes leave. A workbook is not read here:
 * the form goes as it is, where the reader has said that the service may seal it.
 */

import { chance, doing, element, field, send, tell, textsOf } from "../keys/page.js";
import { Refused, base64, fromHex, utf8 } from "../verify/bytes.js";
import { infoOf, seal } from "./seal.js";
import { biddersOf, rowsOf } from "./sheet.js";

const root = element("bidders", HTMLElement);
const form = element("bring", HTMLFormElement);
const MOST = Number(root.dataset.most);

/** UTF-8, else GB 18030, as spreadsheets save. @param {ArrayBuffer} data */
function decoded(data) {
  for (const name of ["utf-8", "gb18030"]) {
    try {
      return new TextDecoder(name, { fatal: true }).decode(data);
    } catch {
      // the next one
    }
  }
  throw new Refused("unknown_encoding");
}

async function sealed() {
  const file = field("file").files?.[0];
  if (file && file.size > 2 ** 20) throw new Refused("bidders_too_large", { most: MOST });
  const text = file ? decoded(await file.arrayBuffer()) : element("list", HTMLTextAreaElement).value;
  const plain = utf8(JSON.stringify(biddersOf(rowsOf(text))));
  if (plain.length > MOST) throw new Refused("bidders_too_large", { most: MOST });
  const made = await seal(plain, fromHex(root.dataset.box ?? ""), infoOf(root.dataset.draw ?? ""), chance(32));
  tell(textsOf(root).sending, "part");
  send("hand-in", { sealed: base64(made) });
}

form.addEventListener("submit", (event) => {
  const name = field("file").files?.[0]?.name ?? "";
  if (name.toLowerCase().endsWith(".xlsx")) return; // the service answers what is to be done
  event.preventDefault();
  void doing(root, form, sealed);
});
