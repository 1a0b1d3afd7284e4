"""The client of a server's API, for programs that hand in work and look at what came of it.

    async with Client("https://lampwork.example.org", key="lw_…") as client:
        job = await client.start("order", {"item": "lamp"})
        print(await client.result(job.job_id))

It gives the views that the read model makes, and raises the errors that the door raises. It needs
the project's code nowhere, and imports neither the engine nor a database.
"""

from lampwork.client.client import Client
from lampwork.client.hints import Delta, Hint
from lampwork.client.listing import Listing
from lampwork.client.terms import Terms

__all__ = ["Client", "Delta", "Hint", "Listing", "Terms"]
