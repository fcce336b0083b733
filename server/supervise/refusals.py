"""Texts of what a supervisor's client refuses: code -> (Chinese, English). `server.refusals` has all of them together."""

from __future__ import annotations

from collections.abc import Mapping

SUPERVISE: Mapping[str, tuple[str, str]] = {
    "draft_does_not_follow": (
        "待签的“{type}”与日志不衔接；请稍后重试，仍如此请查问运行单位",
        "the draft ({type}) does not follow the log; try again, and ask the operator if it stays so",
    ),
    "draw_stopped": ("抽取已被叫停，不签署任何步骤", "the draw is stopped: nothing is signed"),
    "log_time_ahead": (
        "日志时间超前于本机；请校准本机时钟，若本机无误请查问运行单位",
        "the log's time lies ahead of this machine's; set the clock, and if it is right ask the operator",
    ),
    "not_a_supervisors_key": (
        "这不是本机持有的监督人密钥；请用 `lotroom key make --role supervisor` 生成并登记",
        "this is no supervisor's secret key; make one with `lotroom key make --role supervisor` and have it enrolled",
    ),
    "nothing_to_sign": ("现在没有可签署的内容", "nothing is to be signed now"),
    "plain_address": (
        "服务地址须为 https；只有本机可用 http",
        "the service's address must be https; only this machine may be http",
    ),
    "selection_differs": (
        "按名册重新抽取，结果不符（{why}）；不予签署，请立即报告",
        "drawn again with the roll it comes out otherwise ({why}): not signed; report it at once",
    ),
    "service_refused": ("服务答复：{why}（{said}）", "the service says: {why} ({said})"),
    "token_missing": (
        "没有服务令牌；请用 --token-file 指定文件（仅本人可读），或设置 LOTROOM_TOKEN",
        "there is no service token; name a file that only you can read with --token-file, or set LOTROOM_TOKEN",
    ),
}
