"""The evidence of one draw in one file: proof, key list, the roll where it may be given, the verification page, the record. Bytes in, bytes out.

    README.txt      how to verify it
    MANIFEST.json   {"attempt", "files": [{"bytes", "name", "sha256"}], "project", "v": "lotroom-evidence/1"}
    complaints.json (where there are any: digests and leaves, no words)
    keys.json  proof.json  record-en.pdf  record-zh.pdf  roll.bin (after the end)  verify.html

A zip without compression, in one order, with one date: the same content is the same file. A reader takes it only whole: names, sizes and digests must
be those of the manifest, so that a changed byte is named. Whether the draw was right is for the proof to show, with a key list from elsewhere.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.keys import MAX_FILE as MAX_KEYS
from drawing.proof import MAX_PROOF
from drawing.roll import MAX_ROLL

VERSION = "lotroom-evidence/1"
MANIFEST = "MANIFEST.json"
MOST: Mapping[str, int] = {
    "README.txt": 65_535,
    "complaints.json": 1 << 20,
    "keys.json": MAX_KEYS,
    "proof.json": MAX_PROOF,
    "record-en.pdf": 16 << 20,
    "record-zh.pdf": 16 << 20,
    "roll.bin": MAX_ROLL,
    "verify.html": 4 << 20,
}
NEEDED = frozenset({"keys.json", "proof.json"})
MAX_FILE = sum(MOST.values()) + (1 << 20)
_DATE = (1980, 1, 1, 0, 0, 0)
README = """本压缩包是一次抽取的全部公开证据。核验方法（任选其一）：
1. 用浏览器打开 verify.html（不需要网络），选择 proof.json 和另行取得的密钥清单；
2. 安装 lotroom 后运行：lotroom verify 本文件.zip --keys 另行取得的密钥清单.json
不加 --keys 时使用包内的 keys.json，此时不能证明清单本身属实。

This archive is all public evidence of one draw. To verify it:
1. open verify.html in a browser, without a network, and choose proof.json and a key list that you obtained elsewhere; or
2. install lotroom and run: lotroom verify THIS.zip --keys KEY-LIST-FROM-ELSEWHERE.json
Without --keys the list in the archive is used, which shows nothing about that list itself.
"""


def evidence(project: bytes, attempt: int, files: Mapping[str, bytes]) -> bytes:
    """The file. `files` without README and manifest."""
    assert set(files) >= NEEDED, sorted(files)
    assert set(files) <= set(MOST), sorted(files)
    content = {**files, "README.txt": README.encode()}
    listed = [{"bytes": len(content[name]), "name": name, "sha256": sha256(content[name]).hexdigest()} for name in sorted(content)]
    content[MANIFEST] = dumps({"attempt": attempt, "files": listed, "project": project.hex(), "v": VERSION})
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            made.writestr(entry, content[name])
    return out.getvalue()


def read_evidence(data: bytes) -> dict[str, bytes]:
    """Name -> content. Raises Refused: not_evidence, evidence_altered with the name."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as found:
            entries = found.infolist()
            names = [each.filename for each in entries]
            if len(set(names)) != len(names) or MANIFEST not in names or not set(names) <= {*MOST, MANIFEST}:
                raise Refused("not_evidence", "zip")
            for each in entries:
                if each.compress_type != zipfile.ZIP_STORED or each.file_size > MOST.get(each.filename, 1 << 20):
                    raise Refused("evidence_altered", each.filename, name=each.filename)
            content = {}
            for each in entries:
                try:
                    content[each.filename] = found.read(each)
                except (zipfile.BadZipFile, ValueError, EOFError):
                    raise Refused("evidence_altered", each.filename, name=each.filename) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, UnicodeError):
        raise Refused("not_evidence", "zip") from None
    _check(content)
    if evidence_of(content) != data:  # bytes between the files, other dates: nothing that a program reads, and yet another file
        raise Refused("evidence_altered", "zip", name="zip")
    return content


def _check(content: Mapping[str, bytes]) -> None:
    """Every file is as the manifest says, and none is missing."""
    value = loads(content[MANIFEST], place=MANIFEST)
    if not isinstance(value, dict) or value.get("v") != VERSION or not isinstance(value.get("files"), list):
        raise Refused("not_evidence", MANIFEST)
    wanted = {str(each["name"]): each for each in value["files"] if isinstance(each, dict) and "name" in each}
    for name in sorted({*wanted, *content} - {MANIFEST}):
        have, said = content.get(name), wanted.get(name)
        if have is None or said is None or said.get("bytes") != len(have) or said.get("sha256") != sha256(have).hexdigest():
            raise Refused("evidence_altered", name, name=name)
    if not set(content) >= NEEDED:
        raise Refused("not_evidence", "zip")


def evidence_of(content: Mapping[str, bytes]) -> bytes:
    """The file that this content makes."""
    value = loads(content[MANIFEST], place=MANIFEST)
    try:
        project, attempt = bytes.fromhex(value["project"]), value["attempt"]
    except (KeyError, TypeError, ValueError):
        raise Refused("not_evidence", MANIFEST) from None
    return evidence(project, attempt, {name: data for name, data in content.items() if name in MOST and name != "README.txt"})


def is_evidence(path: Path) -> bool:
    """Whether a file looks like one."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
