"""What the service refuses, Chinese first: what is wrong, what to do, and nothing that a stranger could learn from.

Refusals of the protocol are in `drawing.texts`; whoever tells a refusal asks here, for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawing import texts as drawing_texts
from drawing.errors import Refused
from server.draw_refusals import DRAW
from server.key_refusals import KEYS
from server.supervise.refusals import SUPERVISE

OWN: Mapping[str, tuple[str, str]] = {
    "account_name": ("账号须为 1 至 {most} 个可见字符", "an account name has 1 to {most} visible characters"),
    "account_not_active": ("该账号已停用；请联系系统管理员", "this account is not in use; ask the system administrator"),
    "account_step": ("账号处于“{state}”状态，不能执行“{change}”", "an account that is {state} cannot become {change}"),
    "already_connected": ("此账号已关联这条记录", "this record is the own one of that account already"),
    "already_initialised": (
        "此处已有服务，不会覆盖；如需另建，请换一个数据文件夹",
        "there is a service here already and nothing is written over it; name another data folder",
    ),
    "approval_complete": ("审批已完成，可以执行", "the approval is complete: go ahead"),
    "approval_expired": ("审批已过期；请重新申请", "the approval has expired; ask again"),
    "approval_first": ("此操作须先经不同角色的人员审批；请提交申请", "people of other roles must approve this first; ask for it"),
    "approval_life": ("审批有效期为 1 秒至 {most} 天", "an approval lasts up to {most} days"),
    "approval_not_needed": ("此操作无须审批", "this needs no approval"),
    "approval_of_nothing": ("申请审批的对象没有摘要", "what is to be approved has no digest"),
    "approval_refused": ("审批人已拒绝；请看其理由，修改后重新申请", "an approver refused; read why, change it and ask again"),
    "approval_used": ("该审批已使用过一次；请重新申请", "this approval was used already; ask again"),
    "approval_void": ("内容在审批后有变动，审批作废；请重新申请", "what was approved has changed since: the approval is void; ask again"),
    "approved_already": ("您已审批过此事项", "you approved this already"),
    "approver_is_affected": ("不得审批与本人有关的事项；请由他人审批", "nobody approves what concerns themselves; somebody else must"),
    "approver_role": ("没有审批此事项（{action}）的角色", "none of your roles approves this ({action})"),
    "backup_key_missing": (
        "请给出口令或密钥文件之一",
        "give a passphrase or a key file, one of them",
    ),
    "backup_of_another_kind": (
        "该备份来自 {found}，须恢复到同类数据库",
        "this backup is of {found} and is restored into a database of that kind",
    ),
    "backup_passphrase_short": (
        "口令至少 {least} 个字符",
        "a passphrase has at least {least} characters",
    ),
    "backup_refused": (
        "口令或密钥不对，或备份已被改动",
        "the passphrase or key is wrong, or the backup was changed",
    ),
    "bad_batch": (
        "导入数据不完整；请重新上传文件",
        "the data of this import are not whole; upload the file again",
    ),
    "bad_custodians": (
        "密钥保管人应为 2 至 {most} 名，姓名不得重复，门限至少为 2 且不超过人数",
        "2 to {most} custodians with different names, of whom at least 2 and at most all are needed",
    ),
    "bad_frame": ("密钥服务收到的消息格式错误", "a message to the keeper has a bad shape"),
    "bad_logs_file": ("logs 文件第 {line} 行应为“日志名称 公钥”", "line {line} of the file logs is not a name and a key"),
    "bootstrap_over": (
        "已有管理员登记，不再发放初始化口令",
        "an administrator is enrolled: there is no further secret for the first day",
    ),
    "bootstrap_refused": (
        "初始化口令无效、已用过或已超时；请在控制台运行 lotroom init --new-secret",
        "the first day's secret is wrong, was used, or its time is over; run lotroom init --new-secret at the console",
    ),
    "busy": ("登录人数较多，请 {retry_after} 秒后再试", "many people are signing in; try again in {retry_after} seconds"),
    "challenge_unknown": ("本次验证已超时或已用过；请重试", "this request has ended or was answered already; try again"),
    "change_password": (
        "密码已满 90 天，请先修改密码（或登记通行密钥，以后不必再改）",
        "the password is 90 days old: change it first, or enrol a passkey and never again",
    ),
    "checkpoint_does_not_extend": (
        "拒绝签署：大小为 {size} 的日志不是已签署的 {signed} 条日志的延续",
        "not signed: the log of size {size} does not extend the {signed} entries that were signed",
    ),
    "checkpoint_shrinks": (
        "拒绝签署：日志只有 {size} 条，而已签署到 {signed} 条；可能恢复了旧备份",
        "not signed: the log has {size} entries and {signed} were signed; perhaps an old backup was restored",
    ),
    "database_needs_the_owner": (
        "数据库角色的权限不够：以表的属主运行（LOTROOM_DATABASE=postgresql+asyncpg://属主@…）",
        "this database role may not do that: run it as the tables' owner (LOTROOM_DATABASE=postgresql+asyncpg://OWNER@...)",
    ),
    "database_not_empty": (
        "目标数据库不是空的；恢复只写入空库",
        "the database is not empty; a backup is restored into an empty one only",
    ),
    "demo_no_passkey": (
        "此人没有演示用的软件通行密钥",
        "this person has no software passkey",
    ),
    "demo_not_started": (
        "演示服务没有启动，原因见上",
        "the demonstration did not start; its log is above",
    ),
    "demo_root": (
        "这是演示用的密钥文件，只能以 --insecure-demo 启动，不得用于真实业务",
        "this sealed root is a demonstration's: it opens only with --insecure-demo, never for real work",
    ),
    "display_characters": ("姓名含有不可见字符；请删去", "the name has invisible characters; remove them"),
    "display_name": ("姓名须为 1 至 {most} 个字符", "a name has 1 to {most} characters"),
    "enrol_passkey": ("您的角色须使用通行密钥；请先登记一个", "your role signs in with a passkey; enrol one first"),
    "entry_changed": ("列表已变化；请刷新页面后再操作", "the list has changed; load the page again"),
    "entry_known": ("已有相同内容", "it is there already"),
    "epoch_asked": ("新纪元已提出，等待批准", "a new epoch is asked for already and waits for approval"),
    "event_not_signed_here": ("经办方密钥不签署此类事件（{type}）", "the operator's key does not sign events of this kind ({type})"),
    "event_signed_otherwise": ("第 {seq} 步已签署过不同的内容", "step {seq} was signed with other contents"),
    "factors_missing": ("须先设置密码和动态口令，或登记通行密钥", "set a password and an authenticator, or enrol a passkey, first"),
    "folder_open": (
        "该文件夹不属于本服务的用户，或其他用户可以进入：请执行 chmod 700 并核对所有者",
        "this folder is another user's or open to others: chmod 700 it and look whose it is",
    ),
    "frame_cut": ("密钥服务收到的消息不完整", "a message to the keeper was cut off"),
    "grants_only_for_grant": ("角色清单只随授权事项提交，且不可缺少", "a list of roles goes with a grant, and with nothing else"),
    "import_empty": (
        "没有可导入的变动",
        "there is nothing to change",
    ),
    "import_state": (
        "该导入已处于“{state}”状态，不能执行此操作",
        "this import is {state} and this cannot be done with it any more",
    ),
    "import_unfinished": (
        "还有 {count} 行未处理；请改正、略去或下载后再继续",
        "{count} rows are still wrong; correct them, leave them out or download them first",
    ),
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
    "key_pending": (
        "带此幂等键的请求正在处理，或上次结果不明；请先查看再决定",
        "a request with this key is under way, or nobody knows how it ended: look before you repeat it",
    ),
    "last_passkey": (
        "您的角色需要通行密钥，不能移除最后一个；请先登记另一个",
        "your role needs a passkey and this is the last one: register another first",
    ),
    "leave_begun": ("请假须从今天或以后开始", "a leave begins today or later"),
    "leave_ends_first": (
        "结束日期早于开始日期",
        "the end is before the beginning",
    ),
    "library_altered": (
        "专家库的数据与密钥服务所记不符；请停止抽取并运行 lotroom check",
        "the library is not what the keeper put there; draw nothing and run lotroom check",
    ),
    "library_busy": (
        "专家库正在导入；完成后再试",
        "the library is being changed by an import; try again when it is done",
    ),
    "log_behind_witness": (
        "{place} 已见过 {seen} 条，而本日志只有 {size} 条：恢复了旧备份，或另有一份在写入。只读。请换回较新的日志；确已丢失的，经两人批准开始新纪元（docs/witness.md）",
        "{place} has seen {seen} entries and this log has {size}: an old backup was restored, or a copy is written elsewhere. Read only. Put the newer log back; if it is lost, begin a new epoch with two approvals (docs/witness.md)",
    ),
    "log_differs": (
        "日志有 {count} 处不符，第一处为 {what}；不予签名",
        "the log differs in {count} places, the first is {what}; nothing is signed",
    ),
    "log_differs_from_witness": (
        "{place} 见过的日志与本日志（{size} 条）内容不同：数据库被重建或历史被改写。只读。请换回原日志；确已丢失的，经两人批准开始新纪元（docs/witness.md）",
        "{place} has seen another history than this log of {size} entries: the database was rebuilt or rewritten. Read only. Put the right log back; if it is lost, begin a new epoch with two approvals (docs/witness.md)",
    ),
    "log_not_behind": (
        "见证人没有见过比本日志更长或不同的日志，不需要新纪元",
        "no witness has seen more than this log, or another: there is no need for a new epoch",
    ),
    "log_of_another_name": (
        "数据库中的日志名为 {found}，设置为 {set}；日志名不可更改，请设置 log_origin",
        "the database's log is named {found}, the settings say {set}; a log keeps its name: set log_origin",
    ),
    "log_rolled_back": (
        "拒绝签署：状态退回到 {size} 条，而本进程已签署到 {signed} 条",
        "not signed: the state went back to {size} entries and this process signed {signed}",
    ),
    "log_too_short": ("拒绝签署：日志只有 {size} 条，少于 {wanted} 条", "not signed: the log has {size} entries, fewer than {wanted}"),
    "login_stale": ("另一请求已先行一步；请重试", "another request was first; try again"),
    "login_step": ("登录步骤不符；请重新登录", "not a step of signing in now; sign in again"),
    "network_address": ("无法识别来源地址", "the network address cannot be read"),
    "no_such_account": ("没有这个账号", "there is no such account"),
    "no_such_key": ("该对象没有密钥，或已依法销毁", "the object has no key, or it was destroyed as the law asks"),
    "no_such_permission": ("权限表中没有 {place}", "{place} is not in the permission table"),
    "no_witness_addresses": (
        "密钥清单有 {count} 个见证人，但未给出地址；请加 --witness 地址",
        "the key list names {count} witnesses and no addresses are known; add --witness ADDRESS",
    ),
    "not_a_monitor_key": (
        "不是监测方的密钥文件",
        "not a monitor's key file",
    ),
    "not_a_witness_key": (
        "不是见证人的密钥文件",
        "not a witness's key file",
    ),
    "not_an_envelope": ("密文格式错误", "not a sealed value"),
    "not_an_expert": (
        "本中心没有此专家账号；请核对账号名和专家角色",
        "this centre has no expert with this account; check its name and role",
    ),
    "not_approved": ("须先完成审批（{action}）", "this needs approval first ({action})"),
    "not_entitled": ("您的角色无权查看", "none of your roles may see this"),
    "not_found": ("没有找到，或不属于您", "not found, or not yours"),
    "not_initialised": (
        "此处没有初始化过的服务：请先运行 lotroom init",
        "there is no service here yet: run lotroom init first",
    ),
    "not_oneself": ("不能对自己执行此操作；请另一位管理员处理", "nobody does this to themselves: another administrator does"),
    "not_yet": ("尚未到启封时间", "it is not yet the time to open this"),
    "not_your_role": ("您的角色不能执行此操作", "your role does not do this"),
    "nothing_counted": ("限速未指定计数对象", "a guess was counted under nothing"),
    "number_known": (
        "该证件号码已在专家库中",
        "somebody with this ID number is in the library already",
    ),
    "own_approval": ("不能审批自己提出或与本人有关的事项", "nobody approves what they asked for or what concerns them"),
    "pass_refused": ("登录凭证无效或已结束；请重新验证身份", "the pass is not valid or has ended; prove who you are again"),
    "passkey_first": (
        "您的角色须以通行密钥登录；请改用通行密钥重新登录",
        "your role works in a login made with a passkey; sign in with it",
    ),
    "passkey_known": ("该通行密钥已登记", "this passkey is enrolled already"),
    "passkey_refused": ("通行密钥未通过核验（{why}）；请重试", "the passkey was not accepted ({why}); try again"),
    "password_characters": ("密码含有控制字符", "the password has control characters"),
    "password_classes": (
        "密码须含大写、小写、数字、其他字符中的 {classes} 种，或不少于 {length} 个字符",
        "use {classes} of capital letters, small letters, digits and others, or {length} characters and more",
    ),
    "password_common": ("密码过于常见；请换一个", "this password is among the first that anybody tries; take another"),
    "password_has_name": (
        "密码不得含有姓名、账号或单位名称",
        "the password must not contain a name of yours, of the account or of the centre",
    ),
    "password_length": ("密码须为 {least} 至 {most} 个字符", "a password has {least} to {most} characters"),
    "password_simple": ("密码过于简单：重复或键盘连续字符", "the password is a repetition or a row of keys"),
    "path_too_long": (
        "路径超过 {most} 字节，无法用于套接字；请改用较短的数据文件夹",
        "the path is longer than {most} bytes, too long for a socket; use a shorter data folder",
    ),
    "peer_refused": ("该系统用户不得连接密钥服务", "this system user may not connect to the keeper"),
    "person_not_active": ("此人的账号未启用、已停用或已注销", "this person's account is not in use"),
    "port_taken": ("端口 {port} 已被占用", "port {port} is taken"),
    "provider_address": ("身份提供方地址不可接受：{place}", "not an acceptable address of an identity provider: {place}"),
    "provider_answer": (
        "身份提供方的答复不符（{place}）；请重新登录",
        "the identity provider's answer does not fit ({place}); sign in again",
    ),
    "provider_lacks": ("身份提供方不支持 {wanted}", "the identity provider does not offer {wanted}"),
    "provider_late": ("登录用时过长；请重新登录", "signing in took too long; begin again"),
    "provider_refused": ("身份提供方未允许登录（{error}）", "the identity provider did not let you in ({error})"),
    "provider_role": ("用户组不能授予 {role}；请由管理员授予", "a group cannot bring the role {role}; administrators grant it"),
    "provider_settings": ("身份提供方设置不完整（{place}）", "the identity provider's settings are incomplete ({place})"),
    "provider_silent": ("身份提供方无答复；请稍后再试或用密码登录", "the identity provider does not answer; try later or use the password"),
    "provider_state": (
        "此登录不是在本浏览器开始的，或已完成；请重新登录",
        "this sign-in did not begin in this browser, or is over; sign in again",
    ),
    "provider_subject": ("主体标识须为 1 至 {most} 个可见的 ASCII 字符", "a subject has 1 to {most} visible ASCII characters"),
    "provider_subject_taken": ("该主体已绑定到某个账号", "this subject is bound already"),
    "provider_token": ("身份提供方的身份令牌无效（{place}）", "the identity provider's token is not valid ({place})"),
    "reason_missing": ("请写明理由（不超过 {most} 字）", "give a reason of up to {most} characters"),
    "recovery_not_for_role": (
        "您的角色不使用恢复码；遗失通行密钥时由两名管理员重置",
        "your role has no recovery codes; two administrators put a lost passkey right",
    ),
    "role_not_granted": ("{role} 不能授予任何人", "the role {role} is granted to nobody"),
    "role_twice": ("角色重复", "a role is there twice"),
    "roles_exclude_each_other": (
        "三员（系统、安全、审计管理员）互斥，也不得兼任其他角色：{roles}",
        "the three administrators exclude each other and any other role: {roles}",
    ),
    "roles_exclusive": ("系统、安全、审计管理员互斥，且不得兼任其他角色（{roles}）", "an administrator holds no second role ({roles})"),
    "rotation_runs": ("密钥轮换正在进行", "a rotation of keys runs already"),
    "sealed_root_altered": (
        "密封密钥文件已被改动，或不属于这些保管人；请恢复原文件",
        "the sealed root was altered or is of other custodians; restore the file",
    ),
    "sealed_value_altered": ("密文已被改动或移位", "a sealed value was altered or moved"),
    "second_factor_first": ("请先完成第二步验证", "show your second factor first"),
    "second_factor_wrong": ("验证未通过；请核对后重试", "that was not right; check and try again"),
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
    "sign_in": ("请登录", "sign in"),
    "sign_in_wrong": ("账号或密码不正确", "account or password is not right"),
    "socket_folder_open": (
        "套接字所在文件夹须属本用户且权限为 0700",
        "the folder of the socket must be this user's, with permissions 0700",
    ),
    "stale": ("内容已被他人更改；请刷新后重试", "somebody else changed this meanwhile; look again and repeat"),
    "stand_in_for_experts": ("临时放行只适用于评标专家", "a stand-in is for experts only"),
    "step_up": ("此操作须在五分钟内再次验证身份", "show a factor again: this needs one within five minutes"),
    "step_up_passkey": ("此操作须以通行密钥再次验证身份", "show your passkey again for this"),
    "store_unavailable": ("存储不可用；请检查磁盘空间和数据库", "the store does not answer; check disk space and the database"),
    "subject_differs": ("审批的内容与实际不符；请刷新后重试", "what would be approved is not what is there; look again and repeat"),
    "ticket_expired": ("链接已过期；请索取新的", "this link has expired; ask for a new one"),
    "ticket_life": ("有效期最长 {most} 秒", "it lasts {most} seconds at most"),
    "ticket_not_valid": ("链接无效或已使用", "this link is not valid, or was used"),
    "ticket_too_early": ("尚未生效，还须等待 {seconds} 秒", "not yet valid: {seconds} seconds to go"),
    "token_life": ("令牌有效期最长 {most} 天", "a token lasts {most} days at most"),
    "token_name": ("令牌名称须为 1 至 {most} 个可见字符", "a token's name has 1 to {most} visible characters"),
    "token_not_valid": ("令牌无效、已吊销或已过期", "the token is not valid, revoked or expired"),
    "token_scope": ("令牌无此权限（{place}）", "the token does not carry this ({place})"),
    "too_many": (
        "尝试次数过多，请 {retry_after} 秒后再试；也可使用通行密钥",
        "too many tries: again in {retry_after} seconds, or with a passkey at once",
    ),
    "too_many_bad_rows": (
        "有 {count} 行有误，超过 {most} 行；请用下载的文件在表格中改正后重新上传",
        "{count} rows are wrong, more than {most}: correct the file in your spreadsheet and upload it again",
    ),
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
    "unknown_system_user": (
        "本机没有该系统用户；请先建立，或改正 keeper_peers",
        "this machine has no such system user; make it, or correct keeper_peers",
    ),
    "unknown_verb": ("密钥服务没有这个操作", "the keeper has no such verb"),
    "verb_not_for_you": ("该进程不得调用 {verb}", "this process may not call {verb}"),
    "voted_already": ("您已对此事项表态", "you have voted on this already"),
    "witness_ahead": (
        "见证人已见过更长的日志",
        "the witness has seen a longer log",
    ),
    "witness_distrusts_key": (
        "见证人不信任本日志的公钥；请让其运行 lotroom witness trust",
        "the witness does not trust this log's key; its operator adds it with lotroom witness trust",
    ),
    "witness_key_changed": (
        "该见证人名称已用于另一公钥；更换密钥的见证人须用新名称",
        "this witness's name belongs to another key already; a witness with a new key has a new name",
    ),
    "witness_knows_no_such_log": (
        "见证人尚未登记本日志；请让其运行 lotroom witness trust",
        "the witness does not watch this log; its operator adds it with lotroom witness trust",
    ),
    "witness_malformed": (
        "见证人认为请求格式错误；请核对双方版本",
        "the witness finds the request malformed; compare the versions of both programs",
    ),
    "witness_memory_altered": (
        "见证人对 {origin} 的记录已被改动；请停用此见证人并更换密钥",
        "what the witness remembers of {origin} was altered; stop it and make a new key",
    ),
    "witness_of_other_key": (
        "签名不是密钥清单中见证人的；请核对地址",
        "no cosignature of a witness in the key list came back; check the address",
    ),
    "witness_runs": ("该见证人已在运行", "this witness runs already"),
    "witness_saw_other_history": (
        "见证人见过另一份历史",
        "the witness has seen another history",
    ),
    "witness_secret_here": (
        "见证人的私钥不得放在操作方处；只放其 .pub 文件",
        "a witness's secret key must not lie with the operator; put its .pub file here",
    ),
    "witness_silent": (
        "见证人没有可用的答复；请检查其进程与网络",
        "the witness gave no usable answer; check its process and the network",
    ),
    "witnesses_not_in_list": (
        "密钥清单没有见证人；请在首次抽取前把见证人的 .pub 文件放入密钥文件夹",
        "the key list names no witnesses; put their .pub files into the folder of keys before the first draw",
    ),
}

REFUSED: Mapping[str, tuple[str, str]] = {**OWN, **DRAW, **KEYS, **SUPERVISE}


def text_of(code: str, params: Mapping[str, Any], lang: str) -> str:
    """The text of a refusal of the service or of the protocol; the code itself where it has none."""
    pair = REFUSED.get(code)
    if pair is None:
        return drawing_texts.text_of(code, params, lang)
    try:
        return pair[0 if lang == "zh" else 1].format(**params)
    except (KeyError, IndexError):
        return code


def say(refused: Refused, lang: str) -> str:
    """One clear line: what is wrong, what to do, and the code."""
    if refused.code not in REFUSED:
        return drawing_texts.say(refused, lang)
    return f"{text_of(refused.code, {'place': refused.place, **refused.params}, lang)} [{refused.code}]"
