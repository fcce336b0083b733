/**
 * What each check looks at, and what its failure would mean, for a reader who is neither a programmer nor a lawyer. Chinese, then English.
 */

/** Categories by the first letter of a check. @type {Record<string, [string, string]>} */
export const CATEGORIES = {
  I: ["文件与日志", "Files and log"],
  A: ["签名与见证", "Signatures and witnesses"],
  C: ["步骤与次数", "Steps and attempts"],
  T: ["时间先后", "Order in time"],
  R: ["随机数", "Randomness"],
  V: ["监督", "Supervision"],
  D: ["抽取结果", "Who was drawn"],
  F: ["机会是否公平", "Fair chances"],
  S: ["名单筛查（监督人）", "Screening (for supervisors)"],
  E: ["本人回执", "Your own receipt"],
};

/** @type {Record<string, [string, string]>} */
export const EXPLANATIONS = {
  I6: [
    "证明文件必须只有一种写法，逐字节核对。不通过说明文件被改动、损坏，或不是本系统的证明。",
    "The proof has exactly one spelling, compared byte by byte. A failure means that the file was altered or damaged, or is no proof.",
  ],
  A4: [
    "签名用的密钥必须在您另外取得的密钥清单里，而且是抽取当时指定的那一版。不通过说明清单不对，或有人换了密钥。",
    "The keys must be in the key list that you obtained elsewhere, in the very version the draw named. A failure means a wrong list or exchanged keys.",
  ],
  I5: [
    "证明中的各部分齐全、次序正确，名册的部分与事件一一对应。不通过说明缺了或多了内容。",
    "All parts are there and in order, and the roll's sections are those that the events call for. A failure means something is missing or added.",
  ],
  I1: [
    "每个事件都能在公开日志中找到，位置也对。不通过说明证明里有日志没有的事件。",
    "Every event is found in the log at its place. A failure means that the proof shows events which the log does not hold.",
  ],
  I2: [
    "日志只增不改：每个检查点都包含前一个的全部内容。不通过说明日志被改写过。",
    "The log only grew: each checkpoint holds everything of the one before. A failure means that the log was rewritten.",
  ],
  A1: [
    "在随机数产生之前，名单和规则已经写入日志并由足够多的见证人联署。不通过说明事后更换名单的可能无法排除。",
    "Before any randomness came, pool and rules were in the log and enough witnesses had cosigned it. A failure means they might have been exchanged later.",
  ],
  A2: [
    "证明所依据的最后一个检查点由足够多的见证人联署。不通过说明别人可能看到的是另一份日志。",
    "Enough witnesses cosigned the last checkpoint of the proof. A failure means that others may be shown another log.",
  ],
  A3: [
    "每一步都由有权的人签名：工作人员、监督人、贡献方等各司其职。不通过说明有人越权或签名是假的。",
    "Each step is signed by those who may take it: staff, supervisors, contributors. A failure means a forged signature or somebody without the right to sign.",
  ],
  A5: [
    "至少一名监督人和一个随机数贡献方不属于操作方单位。不通过说明整个抽取可能由一家单位自己完成。",
    "At least one supervisor and one contributor are not of the operator's body. A failure means that one body could have done everything by itself.",
  ],
  A6: [
    "密钥清单若规定了第二组见证人（抗量子密钥），每个检查点也须由他们中足够多的人及时联署。不通过说明缺少签名、签名无效或时间不符；未规定时不适用。",
    "Where the key list names a second group of witnesses, with keys that withstand quantum computers, enough of them cosigned every checkpoint in time. A failure means that such signatures are missing, wrong or late.",
  ],
  C1: [
    "每一步都是规则允许在那个时候做的，例如不能在结果可以算出之后再筛人。不通过说明有步骤违规。",
    "Each step was allowed when it was taken; for example, nobody is screened once the result could be computed. A failure means an unlawful step.",
  ],
  C2: [
    "事件首尾相连，一个不缺，抽取次数连续。不通过说明有事件被删去、插入或调换。",
    "The events form one chain with none missing, and attempts are counted. A failure means that an event was removed, inserted or moved.",
  ],
  C3: [
    "公开的登记表显示这个项目就只有这些次抽取，监测人也签名确认。不通过说明可能隐瞒了别的抽取。",
    "The public register knows exactly these attempts for the project, and a monitor signed it. A failure means another draw may be hidden.",
  ],
  C4: [
    "时间不倒退，没有提前启封，期限次序合理。迟到的贡献会在这里注明。",
    "Times do not go back, nothing was opened too early, deadlines are in order. Late contributions are noted here.",
  ],
  C5: [
    "每个贡献方声明的贡献次数与证明中看到的一致。不通过说明可能另有一次没有出示的抽取。",
    "The number of contributions that each contributor states is the number shown. A failure means there may be a draw that is not shown.",
  ],
  T1: [
    "所用的公共信标轮次是事先指定的，在贡献截止之后才产生。不通过说明轮次可能是挑选的。",
    "The beacon round was named beforehand and is due after the contributions. A failure means that a round may have been chosen.",
  ],
  T2: [
    "信标数值公布前至少 60 秒，抽取所依据的一切已由见证人联署。不通过说明可能先看到数值再定内容。",
    "Witnesses cosigned everything the lots rest on at least 60 seconds before the beacon's value. A failure means it might have been fixed after the value was known.",
  ],
  T3: [
    "得出结果之前，全部随机数贡献都已登记在检查点内。不通过说明有贡献可能是后来补的。",
    "Before the result, all contributions were inside a checkpoint. A failure means that a contribution may have been added later.",
  ],
  T4: [
    "最终的随机值在贡献登记之后才出现。不通过说明结果可能先于贡献而存在。",
    "The final random value appeared after the contributions were logged. A failure means that the result may have existed before them.",
  ],
  T5: [
    "见证人的签名显示：姓名在允许的时间之前没有启封。不通过说明名单可能提前泄露。",
    "Witnesses saw the time allowed pass before names were opened. A failure means that names may have been known too early.",
  ],
  R1: [
    "所用的信标网络是密钥清单中登记的那一个。不通过说明换了一个可以操纵的来源。",
    "The beacon network is the one that the key list pins. A failure means that another, perhaps steerable source was used.",
  ],
  R2: [
    "最后一步的随机值只有唯一正确的一个，由公开的密钥验证。不通过说明这个值是编造的。",
    "Only one random value is right in the last step, and a public key verifies it. A failure means that the value was made up.",
  ],
  R3: [
    "每个贡献方的随机数都是其密钥对这份名单唯一能给出的值，不能挑选。不通过说明贡献无效。",
    "Each contribution is the only value that the contributor's key gives for this pool; it cannot be chosen. A failure means an invalid contribution.",
  ],
  R4: [
    "抽签用的种子由全部随机数按公式算出。不通过说明种子是另外选的。",
    "The seed of the lots follows from all random values by a formula. A failure means that the seed was chosen otherwise.",
  ],
  V1: [
    "抽取前两名监督人各自核对了名单，启封前又复核了结果。不通过说明缺少监督。",
    "Two supervisors checked the pool before the draw and the result before names were opened. A failure means that supervision was missing.",
  ],
  D4: [
    "每个席位都有人，没有人占两个席位。不通过说明组成有误。",
    "Every slot is filled and nobody sits twice. A failure means that the panel is wrong.",
  ],
  D5: [
    "每个空出的席位恰好由一人接替，并按规定的方式产生。不通过说明接替有误。",
    "Each slot that somebody left has exactly one successor, found in the lawful way. A failure means a wrong succession.",
  ],
  D1: [
    "您手中的无名名册就是抽取前固定的那一份，一行不多一行不少。不通过说明名册被换或被改。",
    "The nameless roll you hold is the one fixed before the draw, row by row. A failure means that the roll was exchanged or altered.",
  ],
  D2: [
    "用同一种子重新抽签，抽出的人完全相同。不通过说明公布的人不是抽签抽出来的。",
    "Drawing again with the same seed gives the same people. A failure means that those announced were not drawn by these lots.",
  ],
  D3: [
    "任何时候都没有同一单位的两人、近期人数超限等情况。不通过说明组成违反限制。",
    "At no time did two people of one employer sit together, or too many recent ones. A failure means that a limit was broken.",
  ],
  D6: [
    "备选按顺序递补，被移除或退出的人没有留在席上。不通过说明递补或移除有误。",
    "Reserves stepped in in their order, and nobody who left or was removed still sits. A failure means a wrong step-in or removal.",
  ],
  F1: [
    "重新计算合法方案的总数和每个人被抽中的机会，与公布的一致。不通过说明公布的机会不实。",
    "The number of lawful panels and everybody's chance, counted again, are those stated. A failure means that the stated chances are untrue.",
  ],
  F2: [
    "没有人的机会可以更公平而没有给到：每人的机会达到理论上限。不通过说明有人吃了亏。",
    "Everybody's chance reaches what any lawful lottery could give. A failure means that somebody got less than possible.",
  ],
  F3: [
    "没有人的机会明显高于或低于应有的水平。不通过说明有人被偏袒或被压低。",
    "Nobody's chance is clearly above or below its due. A failure means that somebody was favoured or held down.",
  ],
  F4: [
    "放宽条件或直接确定之前，确实已经没有合法的补齐办法。不通过说明本可以继续抽签。",
    "Before terms were widened or somebody was chosen directly, no lawful way was left. A failure means that lots could have gone on.",
  ],
  S0: [
    "监督人手中的材料属于这次抽取，快照无误。需要监督人的开启材料，本页不读取。",
    "The supervisor's openings are of this draw and its snapshot. It needs the openings, which this page does not read.",
  ],
  S1: [
    "每条封存的记录都能打开，内容完整。需要监督人的开启材料，本页不读取。",
    "Every sealed record opens and is whole. It needs the supervisor's openings, which this page does not read.",
  ],
  S2: ["名单中没有同一个人出现两次。需要监督人的开启材料。", "Nobody is in the pool twice. It needs the supervisor's openings."],
  S3: [
    "按规则重新筛查，谁合格、谁回避，结论完全相同。需要监督人的开启材料。",
    "Screening everybody again by the rules gives the same decisions. It needs the supervisor's openings.",
  ],
  S4: [
    "与上一份名单相比，增减和改动如实说明。只有存在上一份快照时才适用。",
    "Who joined, left or changed since the list before is stated truly. It applies only where there is a snapshot before.",
  ],
  S5: [
    "席位上的编号确实对应名单中的人。需要监督人的开启材料。",
    "The tags in the slots belong to people of the pool. It needs the supervisor's openings.",
  ],
  E1: [
    "您本人确实在抽取用的名单里。不通过说明回执不属于这次抽取，或您被漏掉了。",
    "You yourself are in the pool of this draw. A failure means that the receipt is of another draw, or that you were left out.",
  ],
  E2: [
    "对您本人的筛查结论就是事先固定的那一条。不通过说明结论被改过。",
    "The decision about you is the one fixed beforehand. A failure means that it was changed.",
  ],
  E3: [
    "您在无名名册中的一行和被抽中的机会都与公布的一致。",
    "Your row of the nameless roll and your chance are those that were published.",
  ],
  E4: [
    "您的每一次答复都如实记录，没有遗漏。",
    "Each of your answers is recorded as you gave it, and none is missing.",
  ],
};
