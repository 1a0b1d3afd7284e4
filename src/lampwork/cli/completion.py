"""`lampwork completion SHELL`: the script with which a shell completes our words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lampwork.cli import output
from lampwork.cli.options import Options, examples, shared

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog=examples("lampwork completion bash"),
)
@click.argument("shell", type=click.Choice(_SHELLS))
@shared
def command(shell: str, options: Options) -> int:
    """Print the script with which SHELL completes verbs, options and names. To install it:

    \b
    - bash: `eval "$(lampwork completion bash)"` in ~/.bashrc
    - zsh: `eval "$(lampwork completion zsh)"` in ~/.zshrc, after compinit
    - fish: `lampwork completion fish > ~/.config/fish/completions/lampwork.fish`

    Recipes, genies and triggers are those of the project in the current folder, or of the one that
    is typed first; jobs and conversations are those of the folder of the state. To know them, the
    project is imported. What goes wrong meanwhile completes nothing and says nothing.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(click.Group(), {}, "lampwork", "_LAMPWORK_COMPLETE").source()
    if options.as_json:
        output.say_json({"shell": shell, "script": script})
    else:
        output.say(script)
    return 0
