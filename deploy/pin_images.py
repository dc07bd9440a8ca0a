"""Add the digest of each image to its tag, in deploy/compose.yaml and deploy/Dockerfile.

    python deploy/pin_images.py

A tag can be moved, a digest cannot. Asks the registries of the images; what has a digest stays.
"""

import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

FOLDER = Path(__file__).parent
FILES = (FOLDER / "compose.yaml", FOLDER / "Dockerfile")
IMAGE = re.compile(r"(?m)^(\s*image: |FROM )([\w./-]+):([\w.-]+)(?=\s|$)")
OURS = "barograph"
KINDS = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)
LIMIT_S = 30


def place(name: str) -> tuple[str, str]:
    """The registry of an image's name, as Docker reads it, and the name there."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return first, rest
    return "registry-1.docker.io", name if slash else f"library/{name}"


def digest(name: str, tag: str, scheme: str = "https") -> str:
    """The digest of a tag's index of platforms. Raises OSError, or ValueError for no digest."""
    registry, path = place(name)
    request = urllib.request.Request(  # noqa: S310 - of images that this folder names
        f"{scheme}://{registry}/v2/{path}/manifests/{tag}", method="HEAD", headers={"Accept": KINDS}
    )
    try:
        answer = urllib.request.urlopen(request, timeout=LIMIT_S)  # noqa: S310 - as above
    except urllib.error.HTTPError as refused:
        if refused.code != 401:
            raise
        token = _token(refused.headers["WWW-Authenticate"])
        request.add_header("Authorization", f"Bearer {token}")
        answer = urllib.request.urlopen(request, timeout=LIMIT_S)  # noqa: S310 - as above
    found = answer.headers.get("Docker-Content-Digest", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        raise ValueError(f"{name}:{tag}: {registry} names no digest")
    return found


def _token(challenge: str) -> str:
    """What lets anybody read the image, from where the registry says."""
    import json  # noqa: PLC0415 - of a challenge only

    facts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urlencode({key: facts[key] for key in ("service", "scope") if key in facts})
    with urllib.request.urlopen(f"{facts['realm']}?{query}", timeout=LIMIT_S) as answer:  # noqa: S310 - as above
        body = json.load(answer)
    return str(body.get("token") or body["access_token"])


def pinned(text: str, digest_of: dict[tuple[str, str], str]) -> str:
    """The text of a file with digests behind the tags."""

    def put(found: re.Match[str]) -> str:
        known = digest_of.get((found[2], found[3]))
        return found[0] if known is None else f"{found[0]}@{known}"

    return IMAGE.sub(put, text)


def main() -> None:
    """Rewrite the files, all or none. Exits with 1 where a registry does not answer."""
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    images = {(name, tag) for text in texts.values() for _, name, tag in IMAGE.findall(text)}
    try:
        digests = {image: digest(*image) for image in sorted(images) if image[0] != OURS}
    except (OSError, ValueError) as error:
        sys.exit(f"nothing was changed: {error}")
    for path, text in texts.items():
        path.write_text(pinned(text, digests), encoding="utf-8")
    for (name, tag), of in digests.items():
        print(f"{name}:{tag}@{of}")


if __name__ == "__main__":
    main()
