"""Texts of the commands, Chinese first: progress, waiting, and everything that is not a refusal (those are in `drawing.texts`)."""

from __future__ import annotations

from collections.abc import Mapping

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
    "ask_answer": ("席位 {slot} 第 {occupant} 人是否参加？[y/n 原因]", "Slot {slot}, person {occupant}: coming? [y/n reason]"),
    "contribution_written": ("贡献已写入 {path}（对该项目的第 {nth} 次）", "Wrote the contribution {path} (number {nth} to this project)"),
    "round_contribution_written": ("第 {round} 轮补抽的贡献已写入 {path}", "Wrote the contribution to round {round}, {path}"),
    "receipt_written": ("回执已写入 {path}", "Wrote the receipt {path}"),
    "bad_answers": (
        "答复文件第 {line} 行错误：应为 席位,答复(accepted|left),原因",
        "answers file, line {line}: the columns are slot,answer(accepted|left),reason",
    ),
    "library_has_errors": ("专家库中 {bad} 行有误，未参加抽取", "{bad} rows of the library have errors and take no part"),
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


def event_name(kind: str, lang: str) -> str:
    """What people call an event."""
    return EVENT_NAMES[kind] if lang == "zh" else kind.replace("_", " ")


def tell(code: str, lang: str, /, **params: object) -> str:
    """A text with its values."""
    return TEXT[code][0 if lang == "zh" else 1].format(**params)
