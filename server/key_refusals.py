"""Texts of refusals about keys of people outside: code -> (Chinese, English). `server.refusals` has all of them together.

The second table is what a page's own program says in the browser; those codes never come from the service.
"""

from __future__ import annotations

from collections.abc import Mapping

KEYS: Mapping[str, tuple[str, str]] = {
    "key_is_listed": (
        "密钥 {key} 已在清单中；如需撤销，请制作不含它的新版清单",
        "the key {key} is in the list; to revoke it, make a version without it",
    ),
    "key_of_another_role": (
        "您没有这把密钥的角色（{role}）；请按自己的角色生成密钥",
        "this key is for a role that you do not hold here ({role}); make one for your own role",
    ),
    "list_is_voted_on": (
        "该版清单已提交审批，不能再加签名；如需更改，请重新制作",
        "this version is being voted on and takes no more signatures; make it again to change it",
    ),
    "list_unchanged": ("新版清单与现行清单相同，无须更换", "this version says the same as the one in force; there is nothing to change"),
    "no_such_centre": ("没有该中心；请重新选择", "there is no such centre; choose another"),
    "no_such_list": (
        "没有正在制作的这一版清单；请刷新页面查看最新状态",
        "this version is not being made any more; load the page again and look",
    ),
    "not_a_supervisors_key": (
        "{key} 不是现行清单中监督人的密钥；请选用清单中的监督人密钥",
        "{key} is no supervisor's key of the list in force; sign with one that is",
    ),
    "not_a_waiting_key": ("密钥 {key} 不在待列入之列；请刷新页面", "the key {key} does not wait to be listed; load the page again"),
    "other_draft_now": (
        "要签署的内容在您核对后已变动，未签署；请刷新页面，重新核对",
        "what is to be signed changed after you read it, and nothing was signed; load the page again and read it",
    ),
    "secret_handed_in": (
        "这是私钥文件，未保存。该密钥已泄露，请停用并重新生成；只提交 .pub 公钥",
        "this file holds the secret and was not kept. Give this key up, make a new one, and hand in the public file alone",
    ),
    "too_few_contributor_keys": (
        "至少要有 2 把随机数贡献方密钥，现有 {got} 把",
        "a list needs two contributors' keys at least; {got} are chosen",
    ),
    "too_few_supervisors": ("至少要有 2 把监督人密钥，现有 {got} 把", "a list needs two supervisors' keys at least; {got} are chosen"),
    "too_many_keys": ("待列入的密钥已达 {most} 把；请先清理", "{most} keys wait already; put some of them aside first"),
}

IN_BROWSER: Mapping[str, tuple[str, str]] = {
    "bad_key_name": ("密钥名称有误；请重新生成", "the name of the key is malformed; make it again"),
    "commit_without_quorum": (
        "这份承诺没有足够的见证人签名。请勿贡献，并告知监督人；稍后可刷新再试",
        "too few witnesses have signed this commit. Do not contribute; tell a supervisor, and load the page again later",
    ),
    "key_here_already": ("此浏览器已有名为 {key} 的密钥", "this browser has a key named {key} already"),
    "list_not_a_successor": (
        "服务给出的密钥清单（{given}）不是此浏览器认可的清单（{kept}）的签名后续版本。请停止操作，向监督人核对",
        "the service shows a key list ({given}) that does not go on from the one this browser trusts ({kept}). Stop, and ask a supervisor",
    ),
    "no_key_chosen": (
        "此浏览器没有可用的密钥；请先在“我的密钥”页生成或导入",
        "this browser has no key for this; make or import one on the page My key",
    ),
    "no_key_list": (
        "服务尚未公布密钥清单；请稍后再试，或询问安全管理员",
        "the service has published no key list yet; try again later, or ask a security administrator",
    ),
    "no_paper": ("请选择命令文件（不超过 64 MB）", "choose the paper with the order, a file of at most 64 MB"),
    "not_a_contributor": (
        "本次抽取的承诺没有列入您的密钥 {key}；请确认抽取，或换用列入的密钥",
        "the commit of this draw does not name your key {key}; check the draw, or use a key that it names",
    ),
    "not_a_contributors_key": (
        "{key} 是另一角色的密钥，不能用于贡献；请选用随机数贡献方密钥",
        "{key} is a key of another role; contribute with a contributor's key",
    ),
    "not_a_supervisors_own_key": (
        "{key} 是另一角色的密钥，不能用于监督签署；请选用监督人密钥",
        "{key} is a key of another role; sign with a supervisor's key",
    ),
    "not_a_wrapped_key": (
        "这不是导出的密钥文件，或文件已损坏；请换一个文件",
        "this is no exported key, or the file is damaged; choose another file",
    ),
    "not_in_the_list": (
        "密钥 {key} 不在密钥清单中；请等待安全管理员列入后再用",
        "the key {key} is not in the key list; wait until a security administrator has put it in",
    ),
    "not_sent": ("未能送达服务；请检查网络后重试", "the service was not reached; check your connection and try again"),
    "nothing_kept_here": (
        "此浏览器不能保存密钥（可能是无痕窗口）；请用普通窗口打开",
        "this browser keeps nothing (a private window, perhaps); open the page in an ordinary one",
    ),
    "order_of_another_log": (
        "这份承诺来自另一个日志（{key}），不是此浏览器认可的日志。请勿贡献，并告知监督人",
        "this commit is of another log ({key}) than the one this browser trusts. Do not contribute; tell a supervisor",
    ),
    "other_key_list": (
        "承诺引用的密钥清单第 {version} 版不是此浏览器认可的清单。请停止操作，向监督人核对",
        "the commit names version {version} of a key list that this browser does not trust. Stop, and ask a supervisor",
    ),
    "passkey_not_shown": ("没有使用通行密钥；请重试", "the passkey was not used; try again"),
    "passkey_without_prf": (
        "该通行密钥不能保护密钥；请换一个，或改用口令",
        "this passkey cannot protect keys; take another one, or a password",
    ),
    "password_short": ("口令至少 {least} 个字符", "the password needs {least} characters at least"),
    "passwords_differ": ("两次输入的口令不同；请重新输入", "the two passwords differ; type them again"),
    "wrong_passkey": ("这不是保护该密钥的通行密钥；请换用另一个", "this is not the passkey that protects the key; use the other one"),
    "wrong_password": (
        "口令不对，或密钥文件已被改动；请重新输入，或导入备份文件",
        "the password is wrong, or the key's file was changed; type it again, or import your copy",
    ),
}
