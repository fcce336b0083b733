"""Texts of the commands, Chinese first: progress, waiting, and everything that is not a refusal (those are in `server.refusals`)."""

from __future__ import annotations

from collections.abc import Mapping

TEXT: Mapping[str, tuple[str, str]] = {
    "demo_begins": (
        "演示：在 {folder} 中建立一个人员齐全的服务，同时完成一次抽取（全部为虚构数据）",
        "Demonstration: a populated service is made in {folder} while one draw is walked through (all of it invented)",
    ),
    "demo_filled": (
        "已登记 {count} 名演示人员",
        "{count} people are enrolled",
    ),
    "demo_address": (
        "网址：{address}",
        "Address: {address}",
    ),
    "demo_password": (
        "所有演示账号的密码：{password}",
        "Password of every demo account: {password}",
    ),
    "demo_column_role": ("角色", "role"),
    "demo_column_name": ("姓名", "name"),
    "demo_column_account": ("账号", "account"),
    "demo_column_secret": ("TOTP 密钥", "TOTP secret"),
    "demo_column_code": ("现在的验证码", "code of now"),
    "demo_column_passkey": ("演示通行密钥", "demo passkey"),
    "demo_role": ("{role}（{centre}）", "{role} ({centre})"),
    "demo_no_role": ("（角色待批）", "(role awaits approval)"),
    "demo_bidder_guest": (
        "投标人代表不设账号，凭会场发出的链接进入",
        "A bidder's representative has no account and comes by a link that the site sends",
    ),
    "demo_visitor": (
        "访客无需登录",
        "A visitor does not sign in",
    ),
    "demo_phones": (
        "演示手机：{page}  收到的通知及答复按钮",
        "telephones: {page}  what was sent to the people drawn, and buttons to answer",
    ),
    "demo_more": (
        "验证码每 30 秒更新、只能用一次，随时可看 {page}；页面上可选“使用演示用的软件通行密钥”。未使用的邀请：{invitation}",
        "Codes change every 30 seconds and work once; fresh ones: {page}. Pages offer the demonstration's software passkey. Open invitation: {invitation}",
    ),
    "demo_end": (
        "按 Ctrl-C 结束。另开终端可用 LOTROOM_CONFIG={config} 运行 lotroom doctor、lotroom check。日志：{log}",
        "Ctrl-C ends it. In another terminal lotroom doctor and lotroom check work with LOTROOM_CONFIG={config}. Log: {log}",
    ),
    "keys_of_archive": (
        "未给出 --keys：使用证据包内的密钥清单，不能证明清单本身属实",
        "without --keys the archive's own key list is used: nothing is shown about that list itself",
    ),
    "yes": ("有", "yes"),
    "no": ("无", "no"),
    "share_of": (
        "下面显示 {name} 的份额：请其他人回避，本人按任意键",
        "Next is the share of {name}: everybody else turns away, {name} presses a key",
    ),
    "share": (
        "{name} 的份额（只显示这一次，请抄写两份分开保管）：\n\n    {words}\n",
        "The share of {name} (shown this once; write it down twice and keep the two apart):\n\n    {words}\n",
    ),
    "share_noted": (
        "抄写并核对后按任意键，屏幕随即清空",
        "Press a key once it is written down and compared; the screen is cleared",
    ),
    "share_ask": (
        "{name} 的份额",
        "Share of {name}",
    ),
    "initialised": (
        "已初始化：数据在 {folder}，日志名 {log}",
        "Ready: the data is in {folder}, the log is named {log}",
    ),
    "console_secret": (
        "控制台口令（15 分钟内有效，只用一次，只能登记三名管理员）：{secret}\n在浏览器中打开 {page}",
        "Secret of the console (15 minutes, once, for enrolling the three administrators and nothing else): {secret}\nOpen {page} in a browser",
    ),
    "guide_begin": (
        "第一天共六步。每一步先说明做什么、为什么；Ctrl-C 可随时离开；密钥仪式之前只会留下设置文件。",
        "The first day has six steps. Each says what it does and why; Ctrl-C leaves at any time; before the key ceremony only the settings stay.",
    ),
    "guide_1": (
        "1/6 服务在哪里\n  浏览器中的网址是服务的身份：通行密钥与日志名都由它而来，日后不能更改。数据文件夹只属于运行服务的用户。",
        (
            "1/6 Where the service lives\n  The address in the browser's bar is who the service is: passkeys and the log's name come from it, and it stays. "
            "The data folder belongs to the service's own user alone."
        ),
    ),
    "guide_origin": ("网址，如 https://draw.example.cn", "Address, such as https://draw.example.cn"),
    "guide_origin_wrong": ("应为浏览器所写的 https 网址，不带路径", "An https address as a browser spells it, without a path"),
    "guide_centre_zh": ("中心名称（中文）", "Name of the centre in Chinese"),
    "guide_centre_en": ("中心名称（英文）", "Name of the centre in English"),
    "guide_folder": ("数据文件夹", "Data folder"),
    "guide_written": ("设置已写入 {path}", "The settings are in {path}"),
    "guide_settings": ("网址 {origin}，数据 {folder}（设置见 {path}）", "Address {origin}, data {folder} (settings: {path})"),
    "guide_2": (
        "2/6 数据库\n  {database}。每条变更都同时记入只增不改的日志；事后改动任何一行都会被 lotroom check 指出。",
        "2/6 Database\n  {database}. Every change is also a leaf of a log that only grows; a row that is edited behind it is named by lotroom check.",
    ),
    "guide_sqlite": ("内置 SQLite，文件在数据文件夹中", "SQLite inside, its file in the data folder"),
    "guide_postgresql": (
        "PostgreSQL（表结构须先由其所有者运行 lotroom migrate 建立）",
        "PostgreSQL (whose tables the owner has made before, with lotroom migrate)",
    ),
    "guide_3": (
        "3/6 密钥仪式\n  根密钥分给若干保管人，满 k 人到场才能解封服务。每份只显示一次，任何一份都打不开什么。建议 5 人中的 3 人，且来自不同部门。",
        (
            "3/6 Key ceremony\n  The root key is shared among custodians: k of them together unseal the service. Each share is shown once, and alone opens nothing. "
            "Three of five, from different departments, is good."
        ),
    ),
    "guide_demo_root": ("演示模式：不设保管人，服务自行解封", "A demonstration: there are no custodians, the service unseals itself"),
    "guide_count": ("保管人人数", "How many custodians"),
    "guide_name": ("第 {number} 位保管人姓名", "Name of custodian {number}"),
    "guide_twice": ("这个姓名已有了", "This name is there already"),
    "guide_needed": ("解封所需人数", "How many of them unseal"),
    "guide_go": ("现在生成根密钥并逐人显示份额？", "Make the root key now and show the shares one by one?"),
    "guide_4": (
        "4/6 日志的名称与公钥\n  日志名 {log}，永不改变。公钥在首次解封时生成，记入日志（lotroom doctor 显示）；请交给见证人和监督部门各存一份。",
        (
            "4/6 Name and key of the log\n  The log is named {log}, for ever. Its key is made when the service is first unsealed and recorded in the log "
            "(lotroom doctor shows it); give a copy to the witnesses and to the supervising body."
        ),
    ),
    "guide_5": (
        "5/6 三名管理员\n  系统、安全、审计管理员由三个人分别担任，相互制约。下面的口令只用于登记他们；过期时运行 lotroom init --new-secret。",
        (
            "5/6 Three administrators\n  System, security and audit administrator are three people who check on each other. The secret below enrols them and nothing else; "
            "if its time is over, run lotroom init --new-secret."
        ),
    ),
    "guide_6": (
        "6/6 接下来，依次：",
        "6/6 What comes next, in this order:",
    ),
    "next_serve": ("启动服务；只在内存中持有密钥", "start the service; keys are in its memory only"),
    "next_unseal": ("每位保管人输入自己的份额，满 {needed} 人即解封", "each custodian gives their share; {needed} of them unseal"),
    "next_first_day": ("用控制台口令登记三名管理员", "enrol the three administrators with the secret of the console"),
    "next_witness": (
        "由另一单位在另一台机器上见证日志：否则恢复旧备份无人发现（docs/witness.md）",
        "another body's machine watches the log: else nobody notices an older backup (docs/witness.md)",
    ),
    "next_holidays": (
        "国务院公布次年节假日后（每年 11 月）加入 server/rules/holidays/年份.json：工作日期限由它计算",
        "when next year's holidays are out (November), add server/rules/holidays/YEAR.json: deadlines in working days follow from it",
    ),
    "next_import": (
        "首次导入前先检查专家库，有误的行另存改正",
        "before the first import look at the library; bad rows are set aside to be corrected",
    ),
    "next_dry_run": (
        "第一次抽取先作演练：结果带水印，不产生效力",
        "make the first draw an exercise: its result is watermarked and counts for nothing",
    ),
    "next_backup": ("备份到另一台机器的文件夹，并试恢复一次", "back up to another machine's folder, and try a restore once"),
    "still_unsafe": (
        "还不安全的地方（{count} 项；lotroom doctor 随时再看）：",
        "Still unsafe ({count}; lotroom doctor lists them again at any time):",
    ),
    "nothing_unsafe": ("没有发现不安全之处", "Nothing unsafe was found"),
    "doctor_http": (
        "{origin} 未加密：任何真实业务都须使用 https",
        "{origin} is not encrypted: real work needs https",
    ),
    "doctor_demo_root": (
        "根密钥自行解封：谁拿到磁盘，谁就能读取全部内容",
        "the root key unseals itself: whoever has the disk can read everything",
    ),
    "doctor_custodians": ("{count} 名保管人中的 {needed} 名解封服务", "{needed} of {count} custodians unseal the service"),
    "doctor_few_custodians": (
        "{count} 名保管人中 {needed} 名即可解封：至少应为 {least} 名",
        "{needed} of {count} custodians are enough to unseal: it should be {least} at least",
    ),
    "doctor_no_backup": ("从未备份：lotroom backup", "there is no backup yet: lotroom backup"),
    "doctor_backup": (
        "上次备份在 {days} 天前（超过 {most} 天请备份）",
        "the last backup is {days} days old (make one after {most})",
    ),
    "doctor_no_holidays": (
        "缺 {year} 年节假日表：server/rules/holidays/{year}.json",
        "no table of holidays for {year}: server/rules/holidays/{year}.json",
    ),
    "doctor_core_dumps": (
        "本用户的进程崩溃时会写内存转储，其中可能有姓名：ulimit -c 0（systemd：LimitCORE=0）",
        "a crash of this user's processes writes their memory to a disk, names with it: ulimit -c 0 (systemd: LimitCORE=0)",
    ),
    "doctor_administrators": ("三名管理员均已登记", "all three administrators are enrolled"),
    "doctor_no_administrators": (
        "三名管理员已登记 {count} 名：在浏览器中打开 /first-day",
        "{count} of the three administrators are enrolled: open /first-day in a browser",
    ),
    "doctor_log_key": ("见证人与核验者固定的公钥：{key}", "witnesses and verifiers pin {key}"),
    "doctor_no_log_key": (
        "日志公钥尚未记录：服务首次解封后自动记入",
        "the log's key is not recorded yet: that happens when the service is first unsealed",
    ),
    "unseal_more": (
        "已收到 {given} 份，共需 {needed} 份",
        "{given} of {needed} shares are in",
    ),
    "unsealed": (
        "已解封",
        "Unsealed",
    ),
    "passphrase": (
        "备份口令",
        "Passphrase of the backup",
    ),
    "backed_up": (
        "已备份到 {path}：日志 {size} 条，根 {root}",
        "Backed up to {path}: {size} leaves of the log, root {root}",
    ),
    "restored": (
        "已从 {path} 恢复：日志 {size} 条，根 {root}。请运行 lotroom check，再启动服务",
        "Restored from {path}: {size} leaves of the log, root {root}. Run lotroom check, then start the service",
    ),
    "doctor_settings": (
        "设置有误：{why}",
        "The settings are wrong: {why}",
    ),
    "doctor_settings_good": (
        "设置可用，网址 {origin}",
        "The settings are usable; the address is {origin}",
    ),
    "doctor_demo": (
        "演示模式：不得用于真实业务",
        "Demonstration mode: not for real work",
    ),
    "doctor_not_initialised": (
        "{path} 中没有服务：运行 lotroom init",
        "No service in {path}: run lotroom init",
    ),
    "doctor_folder_open": (
        "{path} 对其他用户开放：chmod 700 {path}",
        "{path} is open to others: chmod 700 {path}",
    ),
    "doctor_path_too_long": (
        "{path} 太长，套接字无法使用：换较短的数据文件夹",
        "{path} is too long for a socket: use a shorter data folder",
    ),
    "doctor_file_open": (
        "{count} 个文件可被其他用户读写，例如 {path}：chmod 600",
        "{count} files can be read or written by others, {path} for one: chmod 600",
    ),
    "doctor_files_good": (
        "{path} 只属于本用户",
        "{path} is this user's alone",
    ),
    "doctor_disk": (
        "磁盘剩余 {free} MB（少于 1 GB 或二十分之一时请扩容）",
        "{free} MB of disk free (make room below 1 GB or a twentieth)",
    ),
    "doctor_database_refused": (
        "数据库不可用（{why}）：表结构不符时运行 lotroom migrate",
        "The database cannot be used ({why}); where its tables are another version's run lotroom migrate",
    ),
    "doctor_database_away": (
        "数据库没有应答（{why}）：请启动数据库",
        "The database does not answer ({why}): start it",
    ),
    "doctor_database_good": (
        "{engine}，日志 {size} 条",
        "{engine}, {size} leaves of the log",
    ),
    "doctor_sqlite": (
        "自检 {check}，日志模式 {mode}，WAL {wal} MB",
        "its own check {check}, journal {mode}, WAL {wal} MB",
    ),
    "doctor_log": (
        "{unsigned} 条日志尚无签名检查点（密钥服务运行且已解封时约一秒一次）",
        "{unsigned} leaves have no signed checkpoint (about one a second while the keeper runs unsealed)",
    ),
    "doctor_clock": (
        "最近的检查点比本机时钟晚 {seconds} 秒：请校准时钟",
        "The newest checkpoint is {seconds} s ahead of this clock: set the clock",
    ),
    "doctor_clock_unsynced": (
        "本机时钟未与时间服务器同步",
        "This machine's clock is not synchronised",
    ),
    "doctor_log_behind_witness": (
        "只读：见证人 {place} 已见 {seen} 条，多于本数据库；见 docs/operations.md",
        "read-only: the witness {place} has seen {seen} entries, more than this database has; see docs/operations.md",
    ),
    "doctor_log_differs_from_witness": (
        "只读：见证人 {place} 见过另一份历史；见 docs/operations.md",
        "read-only: the witness {place} has seen another history; see docs/operations.md",
    ),
    "doctor_witnesses": (
        "登记了 {count} 个日志见证人（没有见证人时，恢复旧备份无人发现）",
        "{count} witnesses of the log (without one nobody notices an older backup)",
    ),
    "doctor_jobs": (
        "{count} 项任务逾期十分钟以上：看信使进程的日志",
        "{count} jobs are ten minutes late: read the courier's log",
    ),
    "doctor_keeper_missing": (
        "密钥服务没有应答：服务是否已启动？",
        "The keeper does not answer: does the service run?",
    ),
    "doctor_keeper_sealed": (
        "密钥服务已密封（{given}/{needed} 份）：请保管人运行 lotroom unseal",
        "The keeper is sealed ({given} of {needed} shares): custodians run lotroom unseal",
    ),
    "doctor_keeper_not_shielded": (
        "系统不允许保护密钥进程的内存：同一用户的其他进程可以读取",
        "The system does not shield the keeper's memory: other processes of this user can read it",
    ),
    "doctor_keeper_good": (
        "运行中，已解封",
        "running and unsealed",
    ),
    "doctor_swap": (
        "交换区已启用，密钥可能写入磁盘：swapoff",
        "Swap is on and may write keys to a disk: swapoff",
    ),
    "migrated": ("数据库表结构：{before} → {after}", "Tables: revision {before} -> {after}"),
    "checked_log": (
        "已重放日志 {size} 条，核对 {rows} 行；日志根 {root}",
        "Replayed {size} leaves and compared {rows} rows; the log's root is {root}",
    ),
    "nothing_differs": ("数据库与日志一致", "The database is what the log says"),
    "differs": (
        "有 {count} 处与日志不符：请停止写入，保留现场，通知审计管理员",
        "{count} things are not as the log says: stop writing, keep everything as it is, tell the audit administrator",
    ),
    "checkpoints_without_key": (
        "未核对检查点的签名：数据库中没有日志公钥，请用 --key 给出",
        "The checkpoints' signatures were not checked: the database names no log key; give it with --key",
    ),
    "differs_changed": ("被改动", "was changed"),
    "differs_rewritten": ("其中有条目连同哈希被改写", "has leaves that were rewritten together with their hashes"),
    "differs_missing": ("缺失", "is missing"),
    "differs_unknown": ("日志中没有", "is not in the log"),
    "differs_back_again": ("日志中已删除，却仍在", "is there, though the log says that it was deleted"),
    "differs_twice": ("重复", "is there twice"),
    "differs_wrong_type": ("数据类型不符", "has a value of another type"),
    "differs_not_a_leaf": ("不是本系统的日志条目", "is not a leaf of this program"),
    "differs_does_not_follow": ("与前一条日志不相接", "does not follow from the leaves before it"),
    "differs_event_refused": ("抽取事件不成立", "is an event that its draw refuses"),
    "differs_wrong_map_root": ("抽取次数表的根不符", "says another root of the map of attempts"),
    "differs_out_of_order": ("编号不连续", "has a number out of order"),
    "differs_frozen": ("已停止写入：有见证方见过更长的或不同的日志", "does not grow: a witness has seen a longer log, or another one"),
    "differs_of_another_log": ("检查点与日志不符", "is a checkpoint of another log"),
    "differs_engine_finds_fault": ("数据库自检发现错误", "the database's own check finds a fault"),
    "differs_cannot_be_read": ("无法读取", "cannot be read"),
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
        "等待 {key} 的贡献：请在其机器上运行 lotroom contribute {commit} --key 密钥文件 --keys 密钥清单，把结果放入 {to}，再次运行本命令",
        "Waiting for {key}: run lotroom contribute {commit} --key KEYFILE --keys KEYLIST on its machine, put the result into {to}, and run this again",
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
    "waiting_witnesses": (
        "日志的 {size} 条尚未获得法定数的见证（{missing}）。什么都没有丢失；见证人恢复后再次运行本命令",
        "Too few witnesses cosigned the log's {size} entries ({missing}). Nothing is lost; run this again when they answer",
    ),
    "witness_refused": ("见证人 {address} 未签名（{why}）", "The witness {address} did not cosign ({why})"),
    "witness_trusts": ("从下次启动起见证日志 {origin}", "Watches the log {origin} from the next start on"),
    "witness_serving": ("见证人 {name} 已启动：{url}（{logs} 个日志）", "The witness {name} listens at {url} ({logs} logs)"),
    "witness_saw_misbehaviour": (
        "警报：日志 {origin} 签署了两份不一致的历史（已见 {seen} 条，现送 {size} 条，{why}）；请通知监督部门",
        "Alarm: the log {origin} signed two histories (seen {seen} entries, shown {size}, {why}); tell the supervisors",
    ),
    "witness_cannot_answer": ("见证人暂不能答复（{why}）", "The witness cannot answer now ({why})"),
    "witness_shown": ("见证单位：{body}。公钥：", "Witness of {body}. Keys:"),
    "witness_log": ("日志 {origin}：已见 {size} 条，根 {root}", "Log {origin}: {size} entries seen, root {root}"),
    "tiles_served": ("日志公开于 {url}", "The log is served at {url}"),
    "monitor_epoch": (
        "注意：第 {index} 条起为新纪元。原日志 {origin} 当时有 {size} 条，见证人曾见 {seen} 条；请向运行单位询问缺失的条目",
        "Mind: a new epoch begins at leaf {index}. The log {origin} had {size} entries then, a witness had seen {seen}: ask its operator what became of the others",
    ),
    "monitored": (
        "重放日志 {origin} 的 {size} 条，{projects} 个项目，映射根 {root}",
        "Replayed {size} entries of {origin}, {projects} projects, map root {root}",
    ),
    "monitor_not_a_leaf": ("不是日志条目", "not a leaf of this log"),
    "monitor_not_an_event": ("不是有效的事件", "not an event"),
    "monitor_does_not_follow": ("事件不能接在前一状态之后", "an event that does not follow from what was before"),
    "monitor_map_root_missing": ("事件之后没有记录映射根", "no map root follows this event"),
    "monitor_map_of_other_size": ("映射根记录的位置不对", "the map root says another place in the log"),
    "monitor_map_of_other_log": ("映射根属于另一日志名称", "the map root names another log"),
    "monitor_wrong_map_root": ("映射根与重算结果不同（所记 / 重算）", "the map root is another than what follows (logged / made anew)"),
    "monitor_map_signature": ("映射根缺少操作方的有效签名", "the map root is not rightly signed by an operator"),
    "monitor_log_shrank": ("日志比上次重放时短", "the log is shorter than at the last replay"),
    "monitor_log_rewritten": ("上次重放过的部分已被改写", "what was replayed last time was rewritten"),
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
    "no_witnesses_to_ask": (
        "注意：密钥清单没有见证人，检查点只有日志自己的签名；日志可以另有一份不同的历史",
        "Mind: the key list has no witnesses; only the log itself signed the checkpoint, and it may show others another history",
    ),
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


def event_name(kind: str, lang: str) -> str:
    """What people call an event."""
    return EVENT_NAMES[kind] if lang == "zh" else kind.replace("_", " ")


def tell(code: str, lang: str, /, **params: object) -> str:
    """A text with its values."""
    return TEXT[code][0 if lang == "zh" else 1].format(**params)


ROLE_NAMES: Mapping[str, tuple[str, str]] = {
    "draw_clerk": ("抽取经办人", "draw clerk"),
    "approver": ("审批人", "approver"),
    "agency": ("代理机构", "agency"),
    "supervisor": ("监督人", "supervisor"),
    "contributor": ("随机数贡献方", "contributor"),
    "expert": ("评标专家", "expert"),
    "site_host": ("会场主持人", "site host"),
    "technician": ("技术员", "technician"),
    "archivist": ("档案员", "archivist"),
    "key_custodian": ("密钥保管人", "key custodian"),
    "witness_on_site": ("见证人", "witness on site"),
    "bidder_guest": ("投标人代表", "bidder's representative"),
    "system_admin": ("系统管理员", "system administrator"),
    "security_admin": ("安全管理员", "security administrator"),
    "audit_admin": ("审计管理员", "audit administrator"),
    "visitor": ("访客", "visitor"),
}
