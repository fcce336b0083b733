"""Texts of `lotroom supervise`, Chinese first."""

from __future__ import annotations

from collections.abc import Mapping

TEXT: Mapping[str, tuple[str, str]] = {
    "attest": (
        "{project} 第 {attempt} 次：以{what}核对无误，已签署见证",
        "{project}, attempt {attempt}: checked with the {what}, attested",
    ),
    "check": (
        "{project} 第 {attempt} 次：重新抽取结果一致，已签署复核",
        "{project}, attempt {attempt}: drawn again with the same result, signed",
    ),
    "sign": ("{project} 第 {attempt} 次：已签署“{what}”", "{project}, attempt {attempt}: {what} is signed"),
    "sign_waits": (
        "{project} 第 {attempt} 次：已签署“{what}”，等待他人审批",
        "{project}, attempt {attempt}: {what} is signed and waits for people's approval",
    ),
    "to_sign": (
        "{project} 第 {attempt} 次：“{what}”待签署，确认后用 --sign {type} 签署",
        "{project}, attempt {attempt}: {what} waits; sign it with --sign {type}",
    ),
    "refused": ("{project}：不予签署：{why}", "{project}: not signed: {why}"),
    "nothing": ("现在没有需要本密钥处理的事项", "nothing waits for this key now"),
    "away": ("暂时无法连接服务：{why}", "the service cannot be reached: {why}"),
    "draft": ("将要签署的内容（{project} 第 {attempt} 次，{what}）：", "To be signed ({project}, attempt {attempt}, {what}):"),
    "sure": ("签署？", "Sign it?"),
    "not_signed": ("未签署", "not signed"),
    "exercise": ("（演练）", " (an exercise)"),
    "openings": ("开启材料", "openings"),
    "roll": ("无名名册", "roll"),
    "fact_evaluation_at": ("评标时间", "evaluation"),
    "fact_regime": ("适用制度", "regime"),
    "fact_seats": ("席位", "seats"),
    "fact_method": ("抽取方法", "method"),
    "fact_total": ("合法组合数", "lawful panels"),
    "fact_contributors": ("随机数贡献人", "contributors"),
    "fact_not_before": ("最早启封时间", "unsealing not before"),
    "fact_threshold": ("启封所需监督人", "supervisors to unseal"),
    "fact_digest": ("摘要", "digest"),
    "fact_slots": ("涉及席位", "slots"),
    "fact_signed": ("已签", "signed so far"),
}


def say(code: str, lang: str, **values: object) -> str:
    """One text."""
    return TEXT[code][lang == "en"].format(**values)
