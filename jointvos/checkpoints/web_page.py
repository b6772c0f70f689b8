"""Pages that servers send in place of a file: what they mean, and how to get past them.

Google Drive asks for confirmation where a file is too large for its virus scan, and refuses
where it was fetched too often; both answers are pages with status 200.
"""

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

DRIVE_HOSTS = ("drive.google.com", "drive.usercontent.google.com")

REASONS = (
    ("quota exceeded", "Google Drive's download quota for this file is used up"),
    ("too many users have viewed", "Google Drive's download quota for this file is used up"),
    ("virus scan warning", "Google Drive asks for a confirmation that it did not accept"),
    ("you need access", "Google Drive wants a login: the file is no longer public"),
    ("request access", "Google Drive wants a login: the file is no longer public"),
    ("does not exist", "the file no longer exists"),
    ("sign in", "the server wants a login"),
)
"""Words of a page, in small letters, and what they mean; the first that fits counts."""


@dataclass(frozen=True)
class WebPage:
    """What matters of a page.

    Attributes:
        title: Its title.
        text: All that it says, in small letters.
        confirmation: Address behind the button of Google Drive's "download anyway", if it has one.
    """

    title: str
    text: str
    confirmation: str | None

    @property
    def reason(self) -> str:
        """Why there is no file, as far as one can tell."""
        for words, meaning in REASONS:
            if words in self.text:
                return meaning
        return f"it sent a web page ({self.title[:60]!r}) instead of the file"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.title = ""
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("id") == "download-form":
            self.action = values.get("action", "")
        elif tag == "input" and self.action is not None and values.get("name"):
            self.fields[values["name"]] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style"):
            return
        if self._tag == "title":
            self.title += data
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


def read_page(content: bytes, address: str) -> WebPage:
    """Read a page that came from `address`."""
    reader = _Reader()
    reader.feed(content.decode("utf-8", errors="replace"))
    reader.close()
    text = " ".join(" ".join(reader.texts).split())
    return WebPage(" ".join(reader.title.split()), text.lower(), _confirmation(reader, address))


def _confirmation(reader: _Reader, address: str) -> str | None:
    """The address that the form leads to, if that is on the same host or on Google Drive."""
    if reader.action is None:
        return None
    target = urlsplit(urljoin(address, reader.action))
    if target.hostname not in (urlsplit(address).hostname, *DRIVE_HOSTS):
        return None
    return target._replace(query=urlencode(reader.fields)).geturl()
