/**
 * Slots (docs/spec/draw.md 4.1): who sits in one, and whether it is open.
 */

/** @typedef {"pending"|"accepted"|"left"|"used"|"appointed"} SlotState */
/** @typedef {{seat: number, reserve: boolean, tags: Uint8Array[], state: SlotState, notified: boolean, unsealed: boolean}} Slot */

/** @param {Slot} slot */
export function isOpen(slot) {
  return !slot.reserve && slot.state === "left";
}

/** Who sits in a slot, if anybody. @param {Slot | undefined} slot */
export function occupant(slot) {
  return slot && (slot.state === "pending" || slot.state === "accepted") ? slot.tags[slot.tags.length - 1] : undefined;
}

/** The slots after a step-in. @param {Slot[]} slots @param {number} reserve @param {number} number @returns {Slot[]} */
export function moved(slots, reserve, number) {
  const from = slots[reserve];
  const tag = occupant(from);
  return slots.map((slot, n) => {
    if (n === reserve) return { ...slot, state: "used" };
    if (n !== number || !tag) return slot;
    return { ...slot, tags: [...slot.tags, tag], state: from.state, notified: from.notified, unsealed: from.unsealed };
  });
}

/** Whether a reserve's occupant can come into an open slot of the same seat. @param {Slot | undefined} from @param {Slot | undefined} to */
export function isMove(from, to) {
  return from !== undefined && to !== undefined && isOpen(to) && from.reserve && from.seat === to.seat && occupant(from) !== undefined;
}
