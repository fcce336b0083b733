"""Names that must not be found, and every form in which somebody might find them."""

from tests.server.keeper.test_hostile import written

CANARIES = ("慕容渊澜", "皇甫嵩岳喆", "13912345678", "110101199003071233", "某某大学附属第七医院", "尉迟瑾瑜 受托人")


def forms_of(texts) -> dict[bytes, str]:
    """Every form of each of these texts -> the text."""
    return {form: text for text in texts for form in written(text)}


FORMS = forms_of(CANARIES)


def hits(data: bytes, forms=FORMS) -> set[tuple[str, bytes]]:
    """The canaries in these bytes, each with the form that was found."""
    return {(text, form) for form, text in forms.items() if form in data}


def hits_in(*folders, forms=FORMS) -> set[tuple[str, str, bytes]]:
    """Those in all files below (or in a file itself), each with the file's name."""
    found = set()
    for folder in folders:
        for path in [folder] if folder.is_file() else folder.rglob("*"):
            if path.is_file():
                found |= {(path.name, *hit) for hit in hits(path.read_bytes(), forms)}
    return found
