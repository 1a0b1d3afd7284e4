"""Artifacts: files that the skills of a task produce. They are kept by the digest of their content.

@project.skill(effect="idempotent")
def draw(call: SkillCall) -> str:
    '''Draw the chart.'''
    call.save_artifact("chart.png", png, "image/png")
    return "drawn"
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass
from typing import Any

from lampwork.errors import ArtifactInvalid, quoted
from lampwork.files import names
from lampwork.files.kinds import MEDIA_TYPE
from lampwork.store.blobs import digest_of
from lampwork.types import Json

__all__ = ["Artifact", "Saved", "Saving"]

LARGEST = 50 * 1024 * 1024
"""Bytes of one artifact."""

_LOOK = 1.0
"""Seconds between two looks at whether the event loop that saves is there at all."""


@dataclass(frozen=True)
class Artifact:
    """A file of a project, that a task has produced or that was uploaded. `app.read_artifact` and
    `job.read_artifact` give its bytes, and `files=[artifact]` gives it to a task."""

    name: str
    media_type: str
    """As the skill said."""
    digest: str
    """SHA-256 of the content, in hex."""
    size: int
    """Bytes."""

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, name: str, content: bytes, media_type: str) -> Artifact:
        """The facts of a content that is to be saved. Raises ArtifactInvalid."""
        try:
            name = names.plain(name)
        except (TypeError, ValueError) as error:
            raise ArtifactInvalid(f"Artifact {quoted(name)} can't be saved: {error}.") from error
        if not isinstance(content, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(content).__name__
            raise ArtifactInvalid(f"Artifact {quoted(name)}: its content is {kind}. Pass bytes.")
        if not content:
            raise ArtifactInvalid(f"Artifact {quoted(name)} is empty. Save it when it has content.")
        if len(content) > LARGEST:
            raise ArtifactInvalid(
                f"Artifact {quoted(name)} has {len(content):,} bytes, and {LARGEST:,} is the most. "
                "Store it elsewhere, and save a file that names it."
            )
        if not isinstance(media_type, str) or not MEDIA_TYPE.fullmatch(media_type):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArtifactInvalid(
                f"Artifact {quoted(name)}: {quoted(media_type)} is no media type. "
                "Say one such as text/csv."
            )
        return cls(name, media_type, digest_of(content), len(content))


class Saved(Artifact):
    """An artifact of a skill call. In async code `await` it, to go on when it is on disk."""

    def __init__(self, artifact: Artifact, done: Future[None] | None) -> None:
        super().__init__(artifact.name, artifact.media_type, artifact.digest, artifact.size)
        object.__setattr__(self, "_done", done)
        object.__setattr__(self, "_artifact", artifact)

    def __await__(self) -> Generator[Any, None, Artifact]:
        done: Future[None] | None = self.__dict__["_done"]
        if done is not None:
            yield from asyncio.wrap_future(done).__await__()
        return self.__dict__["_artifact"]


class Saving:
    """The artifacts of one attempt at a skill call, on their way to the disk."""

    def __init__(self, save: Callable[[Artifact, bytes], Coroutine[Any, Any, None]]) -> None:
        """`save` runs on the event loop that is running now, whatever thread the skill is in."""
        self._save = save
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._over = False
        self._saves: list[Future[None]] = []
        self.saved = False
        """Whether there is anything."""

    def add(self, name: str, content: bytes, media_type: str) -> Saved:
        """Save one; a plain function, which has a thread of its own, waits for it here.

        Raises ArtifactInvalid.
        """
        artifact = Artifact.of(name, content, media_type)
        with self._lock:
            if self._over:
                raise ArtifactInvalid(
                    f"Artifact {quoted(name)} can't be saved: the skill call has ended. Save it "
                    "before the skill returns, and give the skill more timeout= if it was stopped."
                )
            save = self._save(artifact, content)
            submit = self._context.copy().run
            done = submit(asyncio.run_coroutine_threadsafe, save, self._loop)
            self._saves.append(done)
            self.saved = True
        if not _in_event_loop():
            self._wait(done)
        return Saved(artifact, done)

    def _wait(self, done: Future[None]) -> None:
        while not done.done():
            wait([done], timeout=_LOOK)
            if self._loop.is_closed():
                return  # the process ends; the call's result will not be heard either
        done.result()

    async def end(self) -> None:
        """Nothing more is saved; returns when all is on disk. Raises what a save has raised."""
        with self._lock:
            self._over = True
        for each in self._saves:
            await asyncio.wrap_future(each)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
