"""Fetch the curve, lattice and hash libraries of the JavaScript verifier and of keys in the browser and write them into web/static/vendor: a developer's tool, run by hand.

Each package is pinned by version and by the integrity that its registry states; esbuild, which joins the files, is pinned by version.
Users need neither node nor this tool: what it writes is committed, and VENDOR.json says what it is and with which digest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "web" / "static" / "vendor"
ESBUILD = "esbuild@0.28.2"
PACKAGES = {
    "@noble/curves": ("2.4.0", "sha512-P4/62zrgfH33CneE3Dn4WhJVA22YUU0eR51wKIan4NVRvwsA0YnPTwWGpNbpuacSujmSFLvyzpyuR30+fbq2Ew=="),
    "@noble/hashes": ("2.4.0", "sha512-X5XaVWZIBCT7HHZGm5I7ZQXDwLG+bGXuSrMQAW+7Zvl87h1kmc1ZB1VSRJcpUfoUrGQp4Fkoxm5kZ+Ms+aW+eA=="),
    "@noble/post-quantum": ("0.7.1", "sha512-+P9981IiAnVh+rmcubozzVwrEy3XsN/tMhTnvsjV9VDaYpOnNCqWqKo2FLWxbu92YHfjGIlE5XnW175UK+ln+Q=="),
}
ENTRIES = {
    "noble-ed25519.js": 'export { ed25519 } from "@noble/curves/ed25519.js";\nexport { sha256, sha512 } from "@noble/hashes/sha2.js";\n',
    "noble-keys.js": 'export { x25519 } from "@noble/curves/ed25519.js";\nexport { argon2id } from "@noble/hashes/argon2.js";\n',
    "noble-ml-dsa.js": 'export { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";\n',
    "noble-bls12-381.js": 'export { bls12_381 } from "@noble/curves/bls12-381.js";\n',
}


def unpack(name: str, folder: Path) -> str:
    """Fetch one package into folder/node_modules and return its integrity."""
    version, expected = PACKAGES[name]
    (made,) = json.loads(subprocess.run(["npm", "pack", f"{name}@{version}", "--json"], cwd=folder, check=True, capture_output=True).stdout)
    archive = folder / made["filename"]
    integrity = "sha512-" + b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if integrity != expected:
        raise SystemExit(f"{name}@{version} has the integrity {integrity}, expected {expected}")
    target = folder / "node_modules" / name
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder / "unpacked" / "package", target)
    return integrity


def main() -> None:
    """Write the bundles, the licences and VENDOR.json."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packages = []
        for name in sorted(PACKAGES):
            integrity = unpack(name, folder)
            licence = "LICENSE-" + name.strip("@").replace("/", "-") + ".txt"
            shutil.copyfile(folder / "node_modules" / name / "LICENSE", VENDOR / licence)
            packages.append({"integrity": integrity, "licence": "MIT", "licence_file": licence, "name": name, "version": PACKAGES[name][0]})
        files = []
        for file, entry in sorted(ENTRIES.items()):
            (folder / file).write_text(entry, "utf-8")
            bundle = [
                "npx",
                "--yes",
                ESBUILD,
                file,
                "--bundle",
                "--format=esm",
                "--target=es2022",
                "--charset=ascii",
                f"--outfile=out/{file}",
            ]
            subprocess.run([*bundle, "--log-level=error"], cwd=folder, check=True)
            shutil.copyfile(folder / "out" / file, VENDOR / file)
            files.append({"file": file, "sha256": hashlib.sha256((VENDOR / file).read_bytes()).hexdigest()})
        facts = {"bundled_with": ESBUILD, "files": files, "packages": packages}
        (VENDOR / "VENDOR.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
