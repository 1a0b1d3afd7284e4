"""Markdown as HTML that may stand in any page, whoever has written it.

Raw HTML is shown as the text that it is. The only images are those that the page brings along;
links lead to the web or to a mailbox, and what else they name is a note on their text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["Pictures", "images_in", "to_html"]

Pictures = Callable[[str, str], str | None]
"""The HTML of an image by its name, with this text in its place; None if there is none."""

_SAFE = ("https://", "http://", "mailto:")
_DEEPEST = 6

_COSTLY = ("[", "<!")
_MOST = 2_000
"""Of each of these in a text. The time that they take to parse grows with their square, and 20,000
took seconds; what has more is shown as it was written."""


def to_html(text: str, pictures: Pictures, *, below: int = 2) -> str:
    """The HTML of a text; its headings stand below those of this level."""
    if _is_costly(text):
        return f"<pre>{escape(text)}</pre>\n"
    parser = _parser()
    tokens = parser.parse(text)
    for each in tokens:
        if each.type in ("heading_open", "heading_close"):
            each.tag = f"h{min(_DEEPEST, int(each.tag[1]) + below)}"
    env = {"pictures": pictures}
    return str(parser.renderer.render(tokens, parser.options, env))


def images_in(text: str) -> list[str]:
    """The names of the images that a text wants to show."""
    if "![" not in text or _is_costly(text):
        return []
    return [_name_of(each) for each in _walk(_parser().parse(text)) if each.type == "image"]


def _is_costly(text: str) -> bool:
    return any(text.count(each) > _MOST for each in _COSTLY)


def _walk(tokens: Sequence[Token]) -> Iterator[Token]:
    for each in tokens:
        yield each
        yield from _walk(each.children or ())


def _name_of(image: Token) -> str:
    return unquote(str(image.attrGet("src") or ""))


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # it takes a while to import, and few need it

    parser = MarkdownIt("js-default", {"html": False, "linkify": False})
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


# --- what is written otherwise than the library does ---


def _image(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    image = tokens[at]
    alt = renderer.renderInlineAsText(image.children or [], options, env)
    return env["pictures"](_name_of(image), alt) or f"<em>{escape(alt)}</em>"


def _link_open(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    href = str(tokens[at].attrGet("href") or "")
    env["is_link"] = href.lower().startswith(_SAFE)
    if env["is_link"]:
        return f'<a href="{escape(href)}" rel="noopener noreferrer nofollow">'
    return f'<span class="cited" title="{escape(unquote(href))}">'


def _link_close(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</a>" if env["is_link"] else "</span>"


def _table_open(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return '<div class="table"><table>\n'


def _table_close(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


_RULES = {
    "image": _image,
    "link_open": _link_open,
    "link_close": _link_close,
    "table_open": _table_open,
    "table_close": _table_close,
}
