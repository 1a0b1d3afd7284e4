"""What a change tells other processes: that they should look, and at what.

On a server it goes out with the commit. In a folder nobody needs to be told: a number that every
commit moves is looked at often, and then at everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import sqlalchemy as sa

Topic = Literal["answers", "jobs", "cancelled", "triggers", "gone"]
"""Waits were answered; jobs may start; jobs are to end; triggers were changed; one is to look at
everything, because whoever had charge of something is gone."""

_KEY = "lampwork_news"


class News:
    """What the changes of one transaction tell."""

    def __init__(self, is_here: Callable[[str], bool]) -> None:
        """`is_here` says of a job whether its run is in this process, which knows by itself."""
        self.topics: set[Topic] = set()
        self._is_here = is_here

    def add(self, topic: Topic, *job_ids: str) -> None:
        """Tell it, unless it is about jobs here."""
        if not job_ids or not all(map(self._is_here, job_ids)):
            self.topics.add(topic)


def gather(connection: sa.Connection, is_here: Callable[[str], bool]) -> News:
    """From here on, what is told in this transaction is gathered."""
    news = connection.info[_KEY] = News(is_here)
    return news


def tell(connection: sa.Connection, topic: Topic, *job_ids: str) -> None:
    """Tell other processes to look; of these jobs, if it is about some."""
    news = connection.info.get(_KEY)
    if isinstance(news, News):
        news.add(topic, *job_ids)
