"""Texts of refusals about draws in the service: code -> (Chinese, English). `server.refusals` has all of them together."""

from __future__ import annotations

from collections.abc import Mapping

DRAW: Mapping[str, tuple[str, str]] = {
    "bad_courier_key": (
        "信使密钥文件已损坏；删除后重新启动即可生成",
        "the courier's key file is damaged; remove it, a start makes a new one",
    ),
    "bad_resolution": ("只能重新发送或标为已另行处理", "send it once more or call it settled, nothing else"),
    "bidder_list_missing": ("须先收到第 {number} 份名单", "list {number} has to come first"),
    "bidder_without_name": ("{place}：每个投标人至少要有名称或代码；请补全", "{place}: each bidder needs a name or a code; fill it in"),
    "bidders_empty": ("名单中没有投标人；请每行填写一个", "the list names no bidder; write one in each line"),
    "bidders_not_for_this_box": (
        "名单不是用本次抽取的公钥密封的；请重新取得公钥后再密封",
        "the list was not sealed to this draw's key; ask for the key again and seal it anew",
    ),
    "bidders_not_sealed": (
        "名单尚未密封。请启用 JavaScript 并使用文本或 csv，或者勾选由服务密封",
        "the list is not sealed yet. Use text or csv with JavaScript, or let the service seal it",
    ),
    "bidders_too_large": (
        "名单超过 {most} 字节；请分成两份先后提交",
        "the list is longer than {most} bytes; hand it in as two lists, one after the other",
    ),
    "bidders_too_late": (
        "抽取已结束或评标已开始，不能再接收名单；请立即告知中心",
        "the draw has ended or its evaluation has begun: no list is taken any more. Tell the centre at once",
    ),
    "cannot_cancel": (
        "抽取已到此步，不能再终止；请等待下一步完成",
        "the draw cannot be ended at this point; wait until its next step is done",
    ),
    "complaint_differs": ("同一投诉已以别的内容登记", "this complaint was filed with other words"),
    "complaint_lifted": ("此投诉的证据冻结已经解除", "this complaint holds nothing any more"),
    "draft_asked": ("这一步已经提请批准；请在待批事项中查看", "approval of this step was asked for already; look at the approvals"),
    "draw_goes_round": ("抽取没有进展，请查看运行日志", "the draw does not get on; look at the service's log"),
    "draw_not_begun": ("抽取的密封文件不完整；请重新准备", "the draw's sealed files are not complete; prepare it again"),
    "draw_not_over": ("抽取尚未结束，其文件不能销毁", "the draw is not over: its files are not destroyed"),
    "draw_on_hold": (
        "有 {count} 件投诉冻结了本次抽取的证据，不能销毁；请先经批准解除冻结",
        "{count} complaints freeze the evidence of this draw, nothing of it is destroyed; have the hold lifted first",
    ),
    "draw_runs": (
        "项目 {number} 已有一次未结束的抽取；请继续那一次，或先终止它",
        "project {number} has a draw that has not ended; go on with that one, or end it first",
    ),
    "draw_superseded": (
        "同一项目已重新申请抽取；这一次不再继续",
        "another draw was asked for in this project since; this one does not go on",
    ),
    "evidence_altered": (
        "证据包中的 {name} 已被改动；请重新取得",
        "{name} in this archive was changed; obtain it again",
    ),
    "exchange_bidders": (
        "投标人不能随项目数据提交；请密封后按 docs/bidders.md 提交",
        "bidders do not come with a project; seal them and send them as docs/bidders.md says",
    ),
    "exchange_missing": ("{place}：缺少{title}", "{place}: {title} is missing"),
    "exchange_too_large": ("数据集过大（最多 {most}）；请分批提交", "the sets are too large (at most {most}); send them in parts"),
    "exchange_unknown": (
        "{place}：没有此数据集或数据项；见 docs/exchange.md",
        "{place}: there is no such set or field; see docs/exchange.md",
    ),
    "exchange_unreadable": ("文件不是 docs/exchange.md 所述的 JSON 或 XML", "this is no JSON or XML as docs/exchange.md has it"),
    "exchange_unsafe": (
        "XML 中不得有文档类型、实体或处理指令；请去掉后重新提交",
        "the XML holds a document type, an entity or an instruction; send it without them",
    ),
    "exchange_value": (
        "{place}：{title}的值不正确；见 docs/exchange.md",
        "{place}: the value of {title} is not right; see docs/exchange.md",
    ),
    "exercise_without_notice": ("演练没有结果公告", "an exercise has no result notice"),
    "retention_runs": (
        "保存期限未满，{until} 之前不得销毁",
        "the files are to be kept until {until}; nothing of them is destroyed before",
    ),
    "files_destroyed": (
        "本次抽取的密封文件已依法销毁；日志与证明仍在",
        "the sealed files of this draw were destroyed as the law asks; log and proof are still there",
    ),
    "gateway_only_in_demo": (
        "演示网关只能在演示环境中运行；请设置 insecure_demo 和 gateway_port",
        "the demonstration's gateway runs in a demonstration only; set insecure_demo and gateway_port",
    ),
    "groups_not_here": (
        "集团关系文件请在专家库中维护，不能写在申请里",
        "groups of companies are kept with the library; leave the file out of the request",
    ),
    "leave_too_late": (
        "评标即将开始，已不能自行请假；请致电中心，由两名工作人员登记",
        "the evaluation is too near to leave by this link; call the centre: two people enter it",
    ),
    "library_empty": ("专家库中没有专家；请先导入", "the library has no experts; import them first"),
    "list_goes_not_on": (
        "密钥清单不是现有清单的延续；请在现有清单后追加新版本",
        "the key list does not go on from the one in force; add a version behind it",
    ),
    "list_of_another_log": (
        "密钥清单中的日志公钥不是本服务的；请用 `lotroom key` 重新生成",
        "the list names another log key than this service's; make it again with `lotroom key`",
    ),
    "list_without_own_keys": ("密钥清单缺少本服务的 {role} 密钥", "the list lacks this service's {role} key"),
    "names_stay_secret": ("本项目的结果公告不公布专家名单（{law}）", "the result notice of this project names no experts ({law})"),
    "project_version_differs": (
        "项目的第 {version} 版已有不同内容；请先查看该项目，确需修改的作为第 {next} 版提交",
        "version {version} of this project says something else; look at it, and send yours as version {next}",
    ),
    "project_version_old": (
        "第 {version} 版早于现有的第 {newest} 版；请提交更高的版本号",
        "version {version} is older than version {newest}, which is here; give a higher number",
    ),
    "no_checkpoint_yet": ("日志尚未签署到此处，请几秒后再试", "the log is not signed so far yet; try again in a few seconds"),
    "no_courier_key": (
        "没有信使公钥，通知不会发出；请重新运行 `lotroom init`",
        "there is no courier key, nothing is sent; run `lotroom init` again",
    ),
    "no_key_list": (
        "尚无获批的密钥清单；请先登记监督人与贡献人的密钥",
        "no key list is approved yet; enrol the supervisors' and contributors' keys first",
    ),
    "no_request_file": ("请选择申请文件（TOML，最大 {most} 字节）", "choose a request's file (TOML, at most {most} bytes)"),
    "no_such_agency": (
        "本中心没有具有代理机构角色的该账号；请核对账号名",
        "no account of this name has the role agency in this centre; check the name",
    ),
    "no_such_draft": ("没有等待签署的这一步；请刷新页面", "nothing of this kind waits to be signed; load the page again"),
    "no_such_draw": ("没有这次抽取", "there is no such draw"),
    "nobody_to_seal_to": ("密钥清单中没有可以接收该文件的监督人", "the key list has no supervisor who may have this file"),
    "not_a_bidder_list": (
        "{place}：不是投标人名单；格式见 docs/bidders.md",
        "{place}: this is no list of bidders; docs/bidders.md has its form",
    ),
    "not_a_contribution": (
        "这不是一份贡献；请用贡献页面或 `lotroom contribute` 生成",
        "this is no contribution; make one on the page or with `lotroom contribute`",
    ),
    "not_closed": ("抽取尚未结束，名册不能提供", "the draw is not closed: the roll is not given yet"),
    "not_evidence": ("这不是抽取证据包", "this is no archive of a draw's evidence"),
    "not_printed": ("未能排印（{why}）；请联系运行人员", "it could not be printed ({why}); tell the operator"),
    "nothing_to_contribute": ("现在不需要贡献", "nothing is to be contributed now"),
    "nothing_to_print": ("日志中还没有这次抽取", "there is nothing of this draw in the log yet"),
    "nothing_to_resolve": ("席位 {slot} 没有待处理的通知；请刷新页面", "no message of slot {slot} waits for you; load the page again"),
    "notice_recorded": (
        "已登记结果公告 {notice}，不能更改；如有错误请联系监督人员",
        "notice {notice} is recorded already and stays; tell a supervisor where it is wrong",
    ),
    "other_bidder_list_there": (
        "第 {number} 份名单已收到且内容不同；请作为下一份提交",
        "list {number} came already with another content; hand this one in as the next list",
    ),
    "other_draw": ("同一编号的抽取已按其他内容开始", "a draw of this id was begun otherwise"),
    "page_missing": ("读取专家库时缺少一页；请重新准备", "a page of the library is missing; prepare the draw again"),
    "reply_refused": ("链接无效；请使用通知中的链接", "the link is not valid; use the one of your message"),
    "reply_too_late": ("答复时间已过", "the time to answer is over"),
    "request_unlawful": (
        "申请有 {count} 处不符合规定，第一处为 {first}；请逐项更正",
        "the request breaks {count} rules, the first is {first}; mend each of them",
    ),
    "result_too_early": (
        "抽取未结束或评标未开始，不能登记结果公告；请在公告发布后登记",
        "the draw is not closed or the evaluation has not begun: record the notice once it is out",
    ),
    "time_ahead": ("时间超前于服务器；请校准时钟", "the time lies ahead of the server's; set your clock"),
    "too_many_complaints": ("一次抽取最多登记 {most} 件投诉", "a draw takes {most} complaints at most"),
    "unknown_code": ("没有此识别码；请对方核对最近一条通知", "no message has this code; ask them to read their newest one"),
    "unknown_message": ("没有这条通知", "there is no such message"),
    "unknown_tag": ("抽取结果与专家库不符；请联系运行人员", "the result does not fit the library; ask the operator"),
    "webhook_address": (
        "请填写完整地址（不含用户名和片段，最多 {most} 字符）",
        "give a whole address, without user name and fragment, of at most {most} characters",
    ),
    "webhook_ended": ("该端点已停用；请重新登记", "this endpoint has ended; register it again"),
    "webhook_name": ("请填写名称（最多 {most} 字符）", "give it a name of at most {most} characters"),
    "webhook_not_https": ("地址须以 https:// 开头", "the address has to begin with https://"),
    "webhook_private": (
        "该地址属于内部网络；请由运行人员在 webhook_networks 中列出",
        "the address is in a private network; the operator lists such networks in webhook_networks",
    ),
    "webhooks_many": ("该中心已有 {most} 个端点；请先停用一个", "the centre has {most} endpoints; end one first"),
}
