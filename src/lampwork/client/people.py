"""Who uses a project of a server, for its admins: people, keys, and what was changed."""

from __future__ import annotations

from lampwork.client.asking import Asking
from lampwork.client.connection import read
from lampwork.client.listing import Listing
from lampwork.types import Role
from lampwork.views import ApiKey, Entry, MadeKey, Me, Page, Person

__all__ = ["PeopleCalls"]


class PeopleCalls(Asking):
    """Who may do what."""

    async def me(self) -> Me:
        """Who the key makes of who calls, and with which role."""
        return await self._get(Me, "/api/session")

    async def people(self) -> tuple[Person, ...]:
        """The people who have a role in the project."""
        return (await self._get(Page[Person], await self._at("people"))).items

    async def add_person(
        self, email: str, password: str, *, role: Role, everywhere: bool = False
    ) -> Person:
        """Make an account, with a role in the project, or in all. Raises AccountExists."""
        new = {"email": email, "password": password, "role": role, "everywhere": everywhere}
        return await self._post(Person, await self._at("people"), new)

    async def set_role(self, email: str, role: Role | None) -> Person:
        """Give somebody a role in the project, or take it. Raises AccountNotFound, LastAdmin."""
        path = await self._at("people", email)
        return read(await self._connection.ask("PUT", path, body={"role": role}), Person)

    async def disable_person(self, email: str) -> Person:
        """Let nobody sign in with an account any more.

        Raises AccountNotFound, RoleLacking, LastAdmin.
        """
        return await self._post(Person, await self._at("people", email, "disable"))

    async def enable_person(self, email: str) -> Person:
        """Let its person sign in again. Raises as `disable_person` does."""
        return await self._post(Person, await self._at("people", email, "enable"))

    async def set_password(self, email: str, password: str) -> Person:
        """Give an account another password; its sessions are over. Raises as `disable_person`."""
        path = await self._at("people", email, "password")
        return read(await self._connection.ask("PUT", path, body={"password": password}), Person)

    async def keys(self) -> tuple[ApiKey, ...]:
        """The API keys of the project, without what is secret of them."""
        return (await self._get(Page[ApiKey], await self._at("keys"))).items

    async def make_key(self, name: str, *, role: Role, expires_in: float | None = None) -> MadeKey:
        """Make an API key, which is shown this once; it expires after so many seconds."""
        new = {"name": name, "role": role, "expires_in": expires_in}
        return await self._post(MadeKey, await self._at("keys"), new)

    async def revoke_key(self, which: str) -> ApiKey:
        """Let a key, by its prefix or name, be used no more. Raises KeyNotFound."""
        path = await self._at("keys", which)
        return read(await self._connection.ask("DELETE", path), ApiKey)

    def changes(self, *, after: str | None = None, limit: int = 50) -> Listing[Entry]:
        """Who changed what in the project, the newest first."""

        async def fetch(after: str | None) -> Page[Entry]:
            query = {"after": after, "limit": limit}
            return await self._get(Page[Entry], await self._at("audit"), query)

        return Listing(fetch, after)
