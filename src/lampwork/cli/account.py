"""`lampwork account EMAIL`: who may sign in at the server, and what they may do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import click

from lampwork.cli import completing, output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Command, Options, examples
from lampwork.cli.who import Who, changing, looking
from lampwork.errors import AccountNotFound
from lampwork.people import accounts
from lampwork.people.accounts import EVERYWHERE
from lampwork.types import ROLES
from lampwork.views import Account, to_json

_NONE = "none"


@click.group(
    "account",
    cls=Noun,
    which="EMAIL",
    parameter="email",
    of=completing.account,
    epilog=examples("lampwork account ann@example.org"),
)
def command() -> None:
    """Show who may sign in at the server: an account, with its roles.

    A verb after the EMAIL does something about it. All take --json and --home. Roles, each with
    what those before it may do: a viewer sees everything; a builder starts and stops work; an
    approver decides for others; an admin says who may do what.
    """


@command.verb("show", hidden=True)
def show(email: str, options: Options) -> int:
    """Show an account."""
    found = asyncio.run(looking(options, lambda who: who.account(email)))
    if found is None:
        raise AccountNotFound(f"There is no account {email}: nobody has one.", email=email)
    return _say(options, found, None)


def _in_project(command: Command) -> Command:
    return click.option(
        "--project",
        metavar="NAME",
        help="The project in which it has the role; without it, or with `*`, each in which it has "
        "no other. A server that is asked means its own.",
    )(command)


_from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of the input."
)


@command.verb(
    "add",
    epilog=examples(
        "lampwork account ann@example.org add --role admin",
        "lampwork account ben@example.org add --role viewer --project shop --password-stdin",
    ),
)
@click.option("--role", type=click.Choice(ROLES), help="What it may do; nothing without it.")
@_in_project
@_from_stdin
def add(
    email: str, role: str | None, project: str | None, password_stdin: bool, options: Options
) -> int:
    """Make it, with a password that is asked for, and a role."""
    accounts.normal_email(email)
    password = _password(options, password_stdin)
    given = None if role is None else accounts.check_role(role)

    def adding(who: Who) -> Awaitable[Account]:
        return who.add(email, password, role=given, project=project)

    return _do(options, adding, f"{email} may sign in.")


@command.verb("password", epilog=examples("lampwork account ann@example.org password"))
@_from_stdin
def password(email: str, password_stdin: bool, options: Options) -> int:
    """Give it another password, which is asked for; its sessions are over."""
    given = _password(options, password_stdin)
    done = f"{email} has another password, and signs in anew."
    return _do(options, lambda who: who.set_password(email, given), done)


@command.verb("disable", epilog=examples("lampwork account ann@example.org disable"))
def disable(email: str, options: Options) -> int:
    """Let nobody sign in with it any more; its sessions are over. API keys stay as they are."""
    return _do(options, lambda who: who.disable(email), f"{email} can't sign in any more.")


@command.verb("enable", epilog=examples("lampwork account ann@example.org enable"))
def enable(email: str, options: Options) -> int:
    """Let its person sign in again."""
    return _do(options, lambda who: who.enable(email), f"{email} may sign in again.")


@command.verb(
    "role",
    epilog=examples(
        "lampwork account ann@example.org role builder --project shop",
        "lampwork account ann@example.org role none --project shop",
    ),
)
@click.argument("role", type=click.Choice([*ROLES, _NONE]))
@_in_project
def role(email: str, role: str, project: str | None, options: Options) -> int:
    """Give it a role in a project in place of the one it had; `none` takes that."""
    given = None if role == _NONE else accounts.check_role(role)
    if project is None:
        where = "everywhere else" if options.at_server is None else "in the server's project"
    else:
        where = "everywhere else" if project == EVERYWHERE else f"in project {project}"
    now = f"has no role {where}" if given is None else f"is {role} {where}"

    def giving(who: Who) -> Awaitable[Account]:
        return who.set_role(email, given, project=project)

    return _do(options, giving, f"{email} {now}.")


def roles_in_words(account: Account) -> str:
    """Its roles, as in a table."""
    named = (f"{name}: {role}" for name, role in account.roles.items() if name != EVERYWHERE)
    everywhere = account.roles.get(EVERYWHERE)
    rest = [] if everywhere is None else [f"{everywhere} everywhere"]
    return ", ".join([*named, *rest]) or "none"


def _do(options: Options, act: Callable[[Who], Awaitable[Account]], done: str) -> int:
    return _say(options, asyncio.run(changing(options, act)), done)


def _say(options: Options, account: Account, done: str | None) -> int:
    if options.as_json:
        output.say_json(to_json(account))
    elif done is not None:
        output.say(done)
    else:
        output.say(f"Account {account.email}: {account.status}")
        output.say(f"  since  {output.local(account.created_at)}")
        output.say(f"  roles  {roles_in_words(account)}")
    return 0


def _password(options: Options, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if options.as_json or not sys.stdin.isatty():
        raise click.UsageError(
            "The password is asked for on a terminal. Give it as the first line of the input, "
            "with --password-stdin."
        )
    return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
