"""Texts of the commands, Chinese first: progress, waiting, and what the service refuses. Refusals of the protocol are in `drawing.texts`."""

from __future__ import annotations

from collections.abc import Mapping

from drawing.errors import Refused
from drawing.texts import text_of

TEXT: Mapping[str, tuple[str, str]] = {
    "reading_library": ("读取专家库 {name} …", "Reading the library {name} …"),
    "library_read": ("读取 {rows} 行：可用 {good} 人，有误 {bad} 行", "{rows} rows read: {good} people usable, {bad} rows with errors"),
    "rejects_written": ("有误的行已写入 {path}，改正后可直接导入", "Bad rows are in {path}; mended, they can be imported as they are"),
    "row_error": ("第 {row} 行 {column}“{value}”：{text}", "row {row}, {column} “{value}”: {text}"),
    "more_errors": ("另有 {count} 处错误", "{count} more errors"),
    "library_written": ("已写入 {path}（{count} 名虚构专家）", "Wrote {path} ({count} fictional experts)"),
    "template_written": ("模板已写入 {path}", "Wrote the template {path}"),
    "key_written": (
        "密钥已写入 {path}（仅本人可读）；公开部分 {path}.pub",
        "Wrote the key {path} (readable by you alone); its public part is {path}.pub",
    ),
    "request_unlawful": ("申请有 {count} 处不符合规定：", "The request breaks {count} rules:"),
    "rule_broken": ("{code} {text}（{article}）{found}", "{code} {text} ({article}) {found}"),
    "screening": ("正在核对 {people} 人的回避与资格 …", "Screening {people} people …"),
    "fitting": ("正在为 {people} 名合格专家拟合均等机会 …", "Fitting equal chances for {people} eligible people …"),
    "uniform_instead": (
        "所余人数太少，无法拟合均等机会：本次放宽改用 uniform/1（各合法方案机会均等）。",
        "Too few people are left to fit equal chances: this widening draws by uniform/1 (every lawful way equally likely).",
    ),
    "small_pool": (
        "注意：合格人数不足所需三倍（小库），被抽中的人较易猜到；此事将记入证明。",
        "Mind: fewer than three eligible people for each place (small pool); the drawn are easier to guess. The proof records it.",
    ),
    "groups_not_checked": (
        "注意：未提供集团关系文件，证明将注明“未核对集团关系”。",
        "Mind: no group relations were given; the proof says so.",
    ),
    "eligible": ("该专家符合条件，可参加抽取", "This expert is eligible"),
    "kept_out": ("该专家被排除，依据 {count} 条：", "This expert is kept out by {count} rules:"),
    "abandoned": ("该次抽取已中止；证明在 {path}", "The attempt was abandoned; the proof is in {path}"),
    "widened": ("已无人可依法补抽：按申请放宽第 {step} 步", "Nobody can lawfully fill the open slots: step {step} of the request's ladder"),
    "event": ("  第 {seq} 步 {type}（日志位置 {index}）", "  step {seq} {type} (log position {index})"),
    "done": ("完成。结果在 {path}", "Done. The results are in {path}"),
    "still_open": (
        "尚未结束。结果在 {path}，再次运行同一命令即可继续",
        "Not finished. What there is lies in {path}; run the same command again to go on",
    ),
    "waiting_contribution": (
        "等待 {key} 的贡献：请在其机器上运行 lotroom contribute {commit} --key 密钥文件，把结果放入 {to}，再次运行本命令",
        "Waiting for {key}: run lotroom contribute {commit} --key KEYFILE on its machine, put the result into {to}, and run this again",
    ),
    "waiting_sealed": ("名单保持密封，{until} 之后再次运行本命令即可启封", "Names stay sealed; run this again after {until}"),
    "waiting_stopped": ("抽取已被监督人暂停", "The draw was stopped by a supervisor"),
    "waiting_beacon": (
        "等待信标 {network} 第 {round} 轮，{until} 到时；之后再次运行本命令即可继续",
        "Waiting for round {round} of the beacon {network}, due {until}; run this again then",
    ),
    "waiting_beacon_silent": (
        "信标 {network} 第 {round} 轮已到时，但没有取得有效的值（{heard}）。稍后再次运行本命令；不会改用其他轮次",
        "Round {round} of the beacon {network} is due and nobody gave its value ({heard}). Run this again later; no other round is taken",
    ),
    "countdown": ("信标第 {round} 轮：还有 {seconds} 秒 ", "beacon round {round}: {seconds} seconds "),
    "beacon_again": ("信标第 {round} 轮尚未取得，{seconds} 秒后再问", "beacon round {round} is not there yet; asking again in {seconds} s"),
    "beacon_wrong_answer": (
        "注意：{relay} 对第 {round} 轮给出错误的值（{why}），不再询问它",
        "Mind: {relay} gave a wrong value for round {round} ({why}); it is asked no more",
    ),
    "beacon_group": (
        "网络 {name}：{nodes} 个节点，任意 {threshold} 个可出值，每 {period} 秒一轮",
        "Network {name}: {nodes} nodes, any {threshold} of them sign, a round every {period} seconds",
    ),
    "beacon_group_times": (
        "密钥生成 {setup} 开始，每步 {phase} 秒；第 1 轮 {genesis}",
        "The key is made from {setup}, {phase} seconds per step; round 1 is due {genesis}",
    ),
    "beacon_group_digest": ("各方核对摘要：{digest}", "Everybody compares this digest: {digest}"),
    "beacon_serving": (
        "节点 {node} 在 {host}:{port}（{status}）；节点组摘要 {digest}",
        "Node {node} at {host}:{port} ({status}); digest of the group {digest}",
    ),
    "beacon_said_deal": ("已分发份额", "dealt"),
    "beacon_said_complain": ("已核对收到的份额", "checked the shares that came"),
    "beacon_said_justify": ("已回应质疑", "answered complaints"),
    "beacon_said_confirm": ("已签署生成记录", "signed the transcript"),
    "beacon_complaint": (
        "质疑节点 {node}（{body}）：给本节点的份额不符",
        "complaint about node {node} ({body}): its share for this node does not fit",
    ),
    "beacon_node_out": ("节点 {node}（{body}）的份额不计入密钥：{why}", "node {node} ({body}) has no part in the key: {why}"),
    "beacon_bad_message": ("节点 {node} 的公告栏有不可接受的消息（{why}）", "an unacceptable message on the board of node {node} ({why})"),
    "beacon_bad_partial": (
        "节点 {node} 对第 {round} 轮的部分签名不符",
        "the partial signature of node {node} over round {round} does not fit",
    ),
    "beacon_key_made": (
        "密钥已共同生成。网络摘要 {chain}；生成记录摘要 {transcript}",
        "The key is made. Chain hash {chain}; digest of the transcript {transcript}",
    ),
    "beacon_dealt": (
        "演示网络在 {path}：对每个 node-N 运行 lotroom beacon serve。分发者知道密钥，不得用于真实抽取",
        "The demonstration network is in {path}: run lotroom beacon serve for each node-N. Its dealer knows the key: never for a real draw",
    ),
    "beacon_pinned": ("网络 {name} 已放入密钥文件夹，网络摘要 {digest}", "Pinned the network {name}, chain hash {digest}"),
    "transcripts_differ": (
        "注意：节点 {nodes} 签署了不同的生成记录；签署相同记录的节点不足门限时，本次生成作废",
        "Mind: nodes {nodes} signed another transcript; where fewer than the threshold signed one, this set-up is void",
    ),
    "boards_differ": (
        "只有 {same} 个其他节点看到与本节点相同的消息，本节点不签署",
        "only {same} other nodes saw what this node saw: it signs nothing",
    ),
    "too_few_dealers": (
        "只有 {qualified} 个节点的份额有效，须有 {threshold} 个（{out}）：请以新的节点组文件重做",
        "only {qualified} nodes dealt rightly and {threshold} are needed ({out}): begin again with a new group file",
    ),
    "share_unusable": (
        "错过了质疑时间，节点 {node} 的份额不可用：本节点只转发、不签名",
        "node {node}'s share cannot be used and the time for complaints is over: this node relays and does not sign",
    ),
    "cannot_write": ("无法写入：{why}", "cannot write: {why}"),
    "ask_answer": ("席位 {slot} 第 {occupant} 人是否参加？[y/n 原因]", "Slot {slot}, person {occupant}: coming? [y/n reason]"),
    "contribution_written": ("贡献已写入 {path}（对该项目的第 {nth} 次）", "Wrote the contribution {path} (number {nth} to this project)"),
    "round_contribution_written": ("第 {round} 轮补抽的贡献已写入 {path}", "Wrote the contribution to round {round}, {path}"),
    "receipt_written": ("回执已写入 {path}", "Wrote the receipt {path}"),
    "bad_answers": (
        "答复文件第 {line} 行错误：应为 席位,答复(accepted|left),原因",
        "answers file, line {line}: the columns are slot,answer(accepted|left),reason",
    ),
    "library_has_errors": ("专家库中 {bad} 行有误，未参加抽取", "{bad} rows of the library have errors and take no part"),
    "chances_head": (
        "{method}：{people} 名合格人员，{types} 类，抽 {panel} 人",
        "{method}: {people} eligible people of {types} types, {panel} are drawn",
    ),
    "chances_panels": ("合法的组成方案共 {panels} 个", "{panels} lawful panels"),
    "chances_tickets": ("签数 {tickets}（每签等可能）", "{tickets} tickets, each equally likely"),
    "chances_range": (
        "机会：最小 {least}，平均 {mean}，最大 {most}",
        "chances: smallest {least}, mean {mean}, largest {most}",
    ),
    "chances_bound": (
        "已证明任何方法的最小机会不超过 {bound}；达到其 {ratio}",
        "proven: no method gives everybody more than {bound}; {ratio} of it is reached",
    ),
    "chances_gini": ("基尼系数 {gini}", "Gini coefficient {gini}"),
    "chances_best": (
        "已证明：任何人的机会都不能再提高，除非降低机会不比他大的人",
        "proven: nobody's chance can be raised without lowering one that is not larger",
    ),
    "chances_group": (
        "{name}：{people} 人，{least} 至 {most}，目标 {target}",
        "{name}: {people} people, {least} to {most}, target {target}",
    ),
    "chances_never": ("不可能抽中：{name}，{people} 人（{reason}）", "cannot be drawn: {name}, {people} people ({reason})"),
    "chances_excluded": ("排除 {rule} {text}：{people} 人", "excluded by {rule} {text}: {people} people"),
    "never_quotas": ("没有合法方案能容纳", "no lawful panel holds them"),
    "never_recent": ("近期抽中人数的限制", "the cap on people drawn recently"),
    "never_sites": ("各会场都要有人的要求", "every required site needs somebody"),
    "never_employers": ("同一单位只能一人", "one person per employer"),
    "never_together": ("几条规定合在一起", "several rules together"),
    "private_list_written": (
        "已写入 {path}：内含证件号码，属保密材料，勿外传",
        "Wrote {path}: it holds document numbers and is private; do not pass it on",
    ),
    "chart_written": ("图已写入 {path}", "Wrote the chart {path}"),
    "table_written": ("表已写入 {path}", "Wrote the table {path}"),
    "lottery_written": ("抽签文件已写入 {path}（不含个人信息）", "Wrote the lottery {path} (nothing personal in it)"),
    "chart_title": (
        "{method}：{people} 人中抽 {panel} 人，每人被抽中的机会",
        "{method}: the chance of each of {people} people to be among the {panel} drawn",
    ),
    "chart_legend": (
        "横条：同组人的机会（深色为最小到最大）；红线：应有的机会",
        "bar: chances of a group, dark from the smallest to the largest; red line: what they should be",
    ),
    "chart_people": ("{people} 人", "{people} people"),
    "chart_more": ("其余 {count} 组未画出", "{count} more groups are not drawn"),
    "lottery_good": (
        "抽签文件有效：{tickets} 签，最小机会 {least}，已证明的上限 {bound}",
        "The lottery is valid: {tickets} tickets, smallest chance {least}, proven bound {bound}",
    ),
    "lottery_drawn": ("抽中第 {ticket} 种签", "Ticket {ticket} is drawn"),
    "lottery_person": ("  {name}：该类第 {number} 人{row}", "  {name}: person {number} of this type{row}"),
    "lottery_row": ("，名单第 {row} 人", ", respondent {row}"),
    "demo_step": ("== {text}", "== {text}"),
}


EVENT_NAMES: Mapping[str, str] = {
    "opened": "开启抽取",
    "attested": "监督人核对并见证",
    "committed": "固定名单、规则与方法",
    "contributed": "随机数贡献",
    "round_contributed": "补抽随机数贡献",
    "result": "抽出结果（无姓名）",
    "checked": "监督人复核",
    "notified": "通知",
    "answers": "答复",
    "stepped_in": "备选递补",
    "replaced": "补抽",
    "screened": "投标人名单比对",
    "extended": "放宽条件",
    "appointed": "直接确定或代表到位",
    "unsealed": "启封",
    "closed": "结束",
    "abandoned": "中止",
    "stopped": "暂停",
    "resumed": "恢复",
    "erased": "依法删除",
}


# Refusals of the service; those of the protocol are in `drawing.texts`.
REFUSALS: Mapping[str, tuple[str, str]] = {
    "approval_expired": ("审批已过期；请重新发起", "the approval has expired; ask for a new one"),
    "approval_used": ("该审批已执行过一次；请重新发起", "this approval was carried out already; ask for a new one"),
    "approved_already": ("您已审批过此事项", "you approved this already"),
    "approver_is_affected": ("不得审批与本人有关的事项；请由他人审批", "nobody approves what concerns themselves; somebody else must"),
    "approver_role": ("没有审批此事项（{action}）的角色", "none of your roles approves this ({action})"),
    "bad_custodians": (
        "密钥保管人应为 2 至 {most} 名，姓名不得重复，门限至少为 2 且不超过人数",
        "2 to {most} custodians with different names, of whom at least 2 and at most all are needed",
    ),
    "bad_frame": ("密钥服务收到的消息格式错误", "a message to the keeper has a bad shape"),
    "bootstrap_refused": (
        "初始化口令无效、已用过或已超时；请在控制台重新初始化",
        "the first day's secret is wrong, was used, or its time is over; begin again at the console",
    ),
    "challenge_unknown": ("本次验证已超时或已用过；请重试", "this request has ended or was answered already; try again"),
    "checkpoint_does_not_extend": (
        "拒绝签署：大小为 {size} 的日志不是已签署的 {signed} 条日志的延续",
        "not signed: the log of size {size} does not extend the {signed} entries that were signed",
    ),
    "checkpoint_shrinks": (
        "拒绝签署：日志只有 {size} 条，而已签署到 {signed} 条；可能恢复了旧备份",
        "not signed: the log has {size} entries and {signed} were signed; perhaps an old backup was restored",
    ),
    "demo_root": (
        "这是演示用的密钥文件，只能以 --insecure-demo 启动，不得用于真实业务",
        "this sealed root is a demonstration's: it opens only with --insecure-demo, never for real work",
    ),
    "event_not_signed_here": ("经办方密钥不签署此类事件（{type}）", "the operator's key does not sign events of this kind ({type})"),
    "event_signed_otherwise": ("第 {seq} 步已签署过不同的内容", "step {seq} was signed with other contents"),
    "frame_cut": ("密钥服务收到的消息不完整", "a message to the keeper was cut off"),
    "grants_only_for_grant": ("角色清单只随授权事项提交，且不可缺少", "a list of roles goes with a grant, and with nothing else"),
    "keeper_busy": ("密钥服务繁忙；请稍后重试", "the keeper is busy; try again shortly"),
    "keeper_failed": ("密钥服务内部错误，未做任何更改；请查看其日志", "the keeper failed inside and changed nothing; see its log"),
    "keeper_missing": (
        "密钥服务没有响应；请确认它在运行。操作可能已完成，重试前请先查看",
        "the keeper does not answer; see that it runs. What was asked may have happened: look before asking again",
    ),
    "keeper_rows_altered": (
        "密钥服务自己的数据被他人改动、删除或退回；请停止使用并核查数据库",
        "rows of the keeper were changed, removed or put back by somebody else; stop and examine the database",
    ),
    "keeper_runs": ("已有一个密钥服务在运行", "a keeper runs already"),
    "key_generation_gone": (
        "数据由第 {generation} 代密钥加密，该密钥已不在；请恢复对应的密封密钥文件",
        "sealed under key generation {generation}, which is gone; restore the sealed root that has it",
    ),
    "log_rolled_back": (
        "拒绝签署：状态退回到 {size} 条，而本进程已签署到 {signed} 条",
        "not signed: the state went back to {size} entries and this process signed {signed}",
    ),
    "log_too_short": ("拒绝签署：日志只有 {size} 条，少于 {wanted} 条", "not signed: the log has {size} entries, fewer than {wanted}"),
    "no_such_key": ("该对象没有密钥，或已依法销毁", "the object has no key, or it was destroyed as the law asks"),
    "not_an_envelope": ("密文格式错误", "not a sealed value"),
    "not_approved": ("须先完成审批（{action}）", "this needs approval first ({action})"),
    "not_entitled": ("您的角色无权查看", "none of your roles may see this"),
    "not_yet": ("尚未到启封时间", "it is not yet the time to open this"),
    "pass_refused": ("登录凭证无效或已结束；请重新验证身份", "the pass is not valid or has ended; prove who you are again"),
    "passkey_known": ("该通行密钥已登记", "this passkey is enrolled already"),
    "passkey_refused": ("通行密钥未通过核验（{why}）；请重试", "the passkey was not accepted ({why}); try again"),
    "peer_refused": ("该系统用户不得连接密钥服务", "this system user may not connect to the keeper"),
    "role_twice": ("角色重复", "a role is there twice"),
    "roles_exclude_each_other": (
        "三员（系统、安全、审计管理员）互斥，也不得兼任其他角色：{roles}",
        "the three administrators exclude each other and any other role: {roles}",
    ),
    "rotation_runs": ("密钥轮换正在进行", "a rotation of keys runs already"),
    "sealed_root_altered": (
        "密封密钥文件已被改动，或不属于这些保管人；请恢复原文件",
        "the sealed root was altered or is of other custodians; restore the file",
    ),
    "sealed_value_altered": ("密文已被改动或移位", "a sealed value was altered or moved"),
    "service_sealed": ("服务处于密封状态；须由密钥保管人启封", "the service is sealed; the key custodians must open it"),
    "share_misspelt": (
        "密钥份额有错字（第 {word} 个词；0 表示校验不符）；请逐词核对",
        "the share is misspelt (word {word}; 0: its checksum fails); compare it word by word",
    ),
    "share_of_another": (
        "这是 {other} 的份额，不是 {custodian} 的；请选对保管人",
        "this is the share of {other}, not of {custodian}; choose the right custodian",
    ),
    "share_wrong": (
        "{custodian} 的份额不属于本次密钥仪式；请核对是否为旧份额",
        "the share of {custodian} is not of this key ceremony; it may be of an older one",
    ),
    "socket_folder_open": (
        "套接字所在文件夹须属本用户且权限为 0700",
        "the folder of the socket must be this user's, with permissions 0700",
    ),
    "stale": ("内容已被他人更改；请刷新后重试", "somebody else changed this meanwhile; look again and repeat"),
    "store_unavailable": ("存储不可用；请检查磁盘空间和数据库", "the store does not answer; check disk space and the database"),
    "subject_differs": ("审批的内容与实际不符；请刷新后重试", "what would be approved is not what is there; look again and repeat"),
    "too_many_passkeys": ("每人最多 {most} 个通行密钥", "at most {most} passkeys for a person"),
    "too_often": ("请求过于频繁；{seconds} 秒后再试", "too many requests; try again in {seconds} s"),
    "totp_enrolled": (
        "验证器已启用；更换须先经审批重置",
        "an authenticator is in use; to change it, a reset must be approved first",
    ),
    "totp_not_enrolled": ("尚未登记验证器", "no authenticator is enrolled"),
    "totp_used": ("该验证码已用过；请等下一个", "this code was used; wait for the next one"),
    "totp_wait": ("错误次数过多；{seconds} 秒后再试", "too many wrong codes; try again in {seconds} s"),
    "totp_wrong": ("验证码错误", "the code is wrong"),
    "unknown_custodian": ("没有这位保管人；保管人为：{names}", "no such custodian; they are: {names}"),
    "unknown_object": ("对象名称应为 类别:中心:编号，类别为 {kinds}", "an object is kind:centre:id, its kind one of {kinds}"),
    "unknown_suite": ("不支持的密码套件 {suite}", "unknown suite of algorithms {suite}"),
    "unknown_verb": ("密钥服务没有这个操作", "the keeper has no such verb"),
    "verb_not_for_you": ("该进程不得调用 {verb}", "this process may not call {verb}"),
}


def refusal(refused: Refused, lang: str) -> str:
    """The text of a refusal of the service or of the protocol; the code itself where it has none."""
    pair = REFUSALS.get(refused.code)
    if pair is None:
        return text_of(refused.code, refused.params, lang)
    try:
        return pair[0 if lang == "zh" else 1].format(**refused.params)
    except (KeyError, IndexError):
        return refused.code


def event_name(kind: str, lang: str) -> str:
    """What people call an event."""
    return EVENT_NAMES[kind] if lang == "zh" else kind.replace("_", " ")


def tell(code: str, lang: str, /, **params: object) -> str:
    """A text with its values."""
    return TEXT[code][0 if lang == "zh" else 1].format(**params)
