"""Write the pages that come from data: rules.md from the rule sets, library.md from the columns, permissions.md from the table. Tests compare them."""

from __future__ import annotations

import json
from pathlib import Path

from server.auth.logins import NEXT, RAISES
from server.auth.model import ANY_ACCOUNT, EVERYBODY, PASSKEY_ROLES, SIGNED_IN, STAFF, Role
from server.auth.permissions import TABLE, Permission
from server.config import PREFIX, Settings
from server.library.columns import COLUMNS
from server.rules import REGIMES, RuleText, rules_of
from server.texts import ROLE_NAMES

DOCS = Path(__file__).resolve().parent.parent / "docs"


def in_force(rule: RuleText) -> str:
    """From when, and until when if that is known."""
    return f"{rule.valid_from} to {rule.valid_to}" if rule.valid_to else f"from {rule.valid_from}"


def rules_page() -> str:
    """docs/rules.md."""
    lines = [
        "# Rules",
        "",
        "Written by `make docs` from `server/rules/*.toml`. Mark S: taken from the text of the law; K: recalled, to be confirmed by the centre's",
        "lawyer; D: a rule of the platform (参照: an article of the other regime that the platform applies to both). A draw commits to the digest of",
        "the rules in force on its day, so a changed number is a new version. How a conflict is found, byte for byte: [spec](spec/conflict.md).",
        "",
        "Working days (D5) are counted by the tables in `server/rules/holidays`; a year without a table is refused by name.",
    ]
    for regime in REGIMES:
        rules = rules_of(regime)
        lines += ["", f"## {regime}: {rules.id} {rules.version}, from {rules.valid_from}"]
        for title, texts in (
            ("The request", rules.request),
            ("Who is kept out", rules.conflict),
            ("Cited only: these bind at other steps", rules.elsewhere),
        ):
            lines += ["", f"### {title}", "", "| code | 规则 | rule | article | mark | in force | numbers |", "| " + "--- | " * 7]
            lines[-1] = lines[-1].rstrip()
            for each in texts.values():
                numbers = ", ".join(f"{key} {value}" for key, value in each.parameters.items())
                lines.append(f"| {each.code} | {each.zh} | {each.en} | {each.article} | {each.mark} | {in_force(each)} | {numbers} |")
    return "\n".join(lines) + "\n"


def library_page() -> str:
    """docs/library.md."""
    lines = [
        "# The expert library file",
        "",
        "Written by `make docs` from `server/library/columns.py`. An xlsx or csv file (UTF-8 with or without mark, GB 18030) with one header row.",
        "`lotroom library template` writes an empty one. Titles are Chinese or the English alias, in any order; unknown columns are refused.",
        "",
        "A cell with several entries separates them with `;`, and the parts of an entry with `|`; an empty end date means until now.",
        "Long numbers must be text: an 18-digit number that a sheet stored as a number has lost digits and is a row error. Full-width forms are",
        "folded with a notice. A row with an error takes no part; it goes to the reject file, mended it can be imported as it is.",
        "",
        "In the service a file has at most 32 MB and 200,000 rows. Up to 2,000 wrong rows are mended in the page; more go back to the spreadsheet. Who is in the",
        "library already is found by the ID number: the import page counts who joins, whose record or employer changes and, where the file is the whole library,",
        "who leaves. Above one in a hundred an approver and a supervisor approve exactly that before it goes in.",
        "",
        "| title | alias | must be filled | example |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {c.title} | `{c.alias}` | {'yes' if c.required else ''} | {c.example.replace('|', chr(92) + '|')} |" for c in COLUMNS]
    return "\n".join(lines) + "\n"


GROUPS = {EVERYBODY: "everybody", ANY_ACCOUNT: "any account", SIGNED_IN: "any role", STAFF: "any role but expert"}


def _names(roles: frozenset[Role]) -> str:
    return GROUPS.get(roles) or ", ".join(role.value for role in Role if role in roles)


def _shows(row: Permission) -> str:
    return row.level.name.lower().replace("_", " ") + (" by passkey" if row.passkey else "")


def permissions_page() -> str:
    """docs/permissions.md."""
    lines = [
        "# Who may do what",
        "",
        "Written by `make docs` from `server/auth/permissions.py` and `server/auth/logins.py`. Whose: `own` things, those of a `centre` at which one",
        "holds the role, `any` of the installation, or `public`. Approvals: for each one the roles that may give it; persons and roles differ, and",
        "neither whoever asked nor whom it concerns is among them. Machine: a service token may carry it.",
        "",
        "A person holds roles at centres. 三员互斥: an administrator holds no second role. These count only in a login made with a passkey: "
        + ", ".join(role.value for role in Role if role in PASSKEY_ROLES)
        + ".",
        "",
        "| role | 角色 |",
        "| --- | --- |",
        *(f"| {role.value} | {ROLE_NAMES[role.value][0]} |" for role in Role),
        "",
        "## Permissions",
        "",
        "| permission | roles | whose | login | approvals | machine |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row.name} | {_names(row.roles)} | {row.whose.value} | {_shows(row)} | {'; '.join(map(_names, row.approvals))} | "
            f"{'yes' if row.by_token else ''} |"
            for row in TABLE.values()
        ),
        "",
        "## A login",
        "",
        "What is not here is refused. Events marked * give the login a new token.",
        "",
        "| state | event | next |",
        "| --- | --- | --- |",
    ]
    for state, row in NEXT.items():
        lines += [f"| {state.value} | {event.value}{' *' if event in RAISES else ''} | {to.value} |" for event, to in row.items()]
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The settings, one row each."""
    lines = ["| setting | environment | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = json.dumps(field.get_default(), ensure_ascii=False, default=list)
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | `{default}` | {field.description} |")
    return "\n".join(lines) + "\n"


def operations_page() -> str:
    """docs/operations.md with the table of now."""
    text = (DOCS / "operations.md").read_text("utf-8")
    before, begin, rest = text.partition("<!-- settings -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return before + begin + settings_table() + end + after


PAGES = {"operations.md": operations_page, "rules.md": rules_page, "library.md": library_page, "permissions.md": permissions_page}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), "utf-8")
