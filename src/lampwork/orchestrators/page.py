"""A report as one HTML page that fetches nothing: the same bytes for the same report."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from lampwork.files.artifact import Artifact
from lampwork.genies.report import Report, ReportSection
from lampwork.orchestrators.markdown import to_html
from lampwork.orchestrators.tables import shown, table
from lampwork.tasks.answer import Section

__all__ = ["Page", "is_image"]

_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
"""Kinds of images that show something and do nothing: of an SVG in an `img` too, browsers run no
script and fetch nothing (HTML, "images processing model"; SVG 2, "secure animated mode")."""

_AGAIN = 4_000_000
"""Bytes of images that are shown where they were shown before: a text may name one any number of
times, and each time it is in the page anew."""

_LONGEST = 2_000_000
"""Characters of all texts and data together that are shown; each part has its share of them."""

_HEAD = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ color-scheme: light }}
* {{ box-sizing: border-box }}
body {{ font: 17px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1d2329;
  background: #fff; max-width: 52rem; margin: 0 auto; padding: 3rem 1.5rem 4rem;
  overflow-wrap: break-word }}
h1, h2, h3, h4, h5, h6 {{ line-height: 1.25; margin: 2em 0 .5em; text-wrap: balance }}
h1 {{ font-size: 2.1rem; letter-spacing: -.02em; margin: 0 0 1.5rem }}
h2 {{ font-size: 1.45rem; letter-spacing: -.01em; margin: 0 }}
h3 {{ font-size: 1.15rem }}
h4, h5, h6 {{ font-size: 1rem }}
p, ul, ol, pre, blockquote {{ margin: .75em 0 }}
li > ul, li > ol {{ margin: .25em 0 }}
hr {{ border: 0; border-top: 1px solid #dde2e7; margin: 1.5em 0 }}
section {{ border-top: 1px solid #dde2e7; margin-top: 2.5rem; padding-top: 2rem }}
.by {{ color: #5b6670; font-size: .875rem; margin: .2rem 0 1.2rem }}
.summary {{ font-size: 1.1rem }}
.table {{ overflow-x: auto; margin: 1em 0 }}
table {{ border-collapse: collapse; width: 100%; font-size: .9375rem;
  font-variant-numeric: tabular-nums }}
th, td {{ border-bottom: 1px solid #dde2e7; padding: .45rem .75rem; text-align: left;
  vertical-align: top }}
th:first-child, td:first-child {{ padding-left: 0 }}
th:last-child, td:last-child {{ padding-right: 0 }}
thead th {{ border-bottom-color: #8a949e; font-weight: 600; white-space: nowrap }}
.facts {{ width: auto }}
.facts th {{ color: #5b6670; font-weight: normal; padding-right: 2rem }}
.number {{ text-align: right }}
.number, .cited, td[style*="right"] {{ white-space: nowrap }}
figure {{ margin: 1.5rem 0 }}
img {{ display: block; max-width: 100%; height: auto }}
figcaption {{ color: #5b6670; font-size: .875rem; margin-top: .4rem }}
pre {{ background: #f4f6f8; overflow-x: auto; padding: .8rem 1rem; font-size: .875rem }}
code {{ background: #f4f6f8; font-size: .9em; padding: .1em .25em }}
pre code {{ padding: 0 }}
blockquote {{ border-left: 3px solid #c6cdd4; color: #414b54; margin-left: 0; padding-left: 1rem }}
a {{ color: #0a58a6 }}
.missing {{ background: #fdf3e1; border: 1px solid #ecd3a0; margin-bottom: 1.5rem;
  padding: 1rem 1.25rem }}
.missing h2 {{ font-size: 1.1rem }}
@media (max-width: 40rem) {{ body {{ font-size: 16px; padding: 1.5rem 1rem 3rem }}
  h1 {{ font-size: 1.65rem }} table {{ font-size: .8125rem }} th, td {{ padding: .35rem .4rem }}
  thead th {{ white-space: normal; vertical-align: bottom }} }}
@media print {{ body {{ max-width: none; padding: 0 }} figure, tr {{ break-inside: avoid }}
  h2, h3 {{ break-after: avoid }} }}
</style>
</head>
<body>
"""


def is_image(artifact: Artifact) -> bool:
    """Whether a page can show it."""
    return _kind(artifact) in _IMAGES


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made of."""

    report: Report
    sections: Sequence[Section]
    """Of all subtasks that have succeeded, in the order of the plan."""
    missing: Sequence[Mapping[str, Any]]
    """What is required and has failed."""
    images: Mapping[str, bytes]
    """By digest, those that there is room for."""
    _times: Counter[str] = field(default_factory=Counter[str], init=False)
    """By digest, how often each was shown so far."""

    def html(self) -> bytes:
        """The page. It may take a while: not for an event loop."""
        return "".join(self._written()).encode()

    def _written(self) -> Iterator[str]:
        title = escape(self.report.title)
        yield f"{_HEAD.format(title=title)}<h1>{title}</h1>\n"
        if self.missing:
            yield _missing(self.missing)
        if self.report.summary.strip():
            text, _ = self._markdown(_cut(self.report.summary, _LONGEST), self.sections)
            yield f'<div class="summary">\n{text}</div>\n'
        by_id = {each.subtask: each for each in self.sections}
        wanted = self.report.sections or [ReportSection(subtask=each) for each in by_id]
        for each in wanted:
            yield from self._section(each, by_id[each.subtask], _LONGEST // len(wanted))
        yield "<section>\n<h2>Who did what</h2>\n"
        doers = [[each.subtask, each.title, each.agent] for each in self.sections]
        yield f"{table(['subtask', 'what it is', 'agent'], doers)}</section>\n</body>\n</html>\n"

    def _section(self, wanted: ReportSection, section: Section, room: int) -> Iterator[str]:
        yield f"<section>\n<h2>{escape(wanted.title or section.title)}</h2>\n"
        yield f'<p class="by">{escape(section.subtask)}, by {escape(section.agent)}</p>\n'
        value, pictured = section.output if wanted.text is None else wanted.text, set[str]()
        if isinstance(value, str):
            others = [each for each in self.sections if each is not section]
            text, pictured = self._markdown(_cut(value, room), [section, *others])
            yield text
        else:
            yield shown(value, room)
        files = list[str]()
        for each in section.artifacts:
            if (picture := self._picture(each, each.name)) is None:
                files.append(f"<li>{escape(each.name)}, {_size(each.size)}</li>\n")
            elif each.digest not in pictured:
                yield f"<figure>\n{picture}\n</figure>\n"
        if files:
            yield f'<div class="by">Files beside this page:\n<ul>\n{"".join(files)}</ul></div>\n'
        yield "</section>\n"

    def _markdown(self, text: str, nearest: Sequence[Section]) -> tuple[str, set[str]]:
        """A text as HTML, and the digests of the images that it shows."""
        named: dict[str, Artifact] = {}
        for artifact in (each for section in nearest for each in section.artifacts):
            named.setdefault(artifact.name, artifact)
        pictured: set[str] = set()

        def picture(name: str, alt: str) -> str | None:
            if name not in named:
                return None
            pictured.add(named[name].digest)
            return self._picture(named[name], alt)

        return to_html(text, picture), pictured

    def _picture(self, artifact: Artifact, alt: str) -> str | None:
        content = self.images.get(artifact.digest)
        if content is None or not is_image(artifact) or not self._has_room(artifact.digest):
            return None
        self._times[artifact.digest] += 1
        coded = base64.b64encode(content).decode()
        return f'<img alt="{escape(alt)}" src="data:{_kind(artifact)};base64,{coded}">'

    def _has_room(self, digest: str) -> bool:
        """Whether an image may be shown; the first time each of them may."""
        again = Counter(self._times)
        again[digest] += 1
        return (
            again[digest] == 1
            or sum(len(self.images[each]) * (times - 1) for each, times in again.items()) <= _AGAIN
        )


def _kind(artifact: Artifact) -> str:
    return artifact.media_type.partition(";")[0].strip().lower()


def _missing(missing: Sequence[Mapping[str, Any]]) -> str:
    listed = "".join(
        f"<li>{escape(each['title'])}: {escape('; '.join(each['reasons']))}</li>\n"
        for each in missing
    )
    return f'<div class="missing">\n<h2>What is missing</h2>\n<ul>\n{listed}</ul>\n</div>\n'


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]} …"


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1000:,.0f} kB"
