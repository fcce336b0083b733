"""The command line. Exit codes: 0 good; 1 refused or a check failed; 2 bad use; 3 nothing failed, something skipped or still open."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from drawing.errors import Refused
from server.commands.shared import language_of

BAD_USE = ("no_such_file", "cannot_read", "file_exists", "unknown_role")
COMMANDS: Mapping[str, tuple[str, str]] = {  # name -> module and attribute: a command loads what it needs itself, and nothing of the others
    "backup": ("server.commands.service", "backup_command"),
    "beacon": ("server.commands.beacon", "beacon"),
    "chances": ("server.commands.chances", "chances_command"),
    "check": ("server.storage.commands", "check_command"),
    "contribute": ("server.commands.keys", "contribute_command"),
    "demo": ("server.commands.service", "demo_command"),
    "doctor": ("server.commands.service", "doctor_command"),
    "draw": ("server.commands.draw", "draw"),
    "explain": ("server.commands.verify", "explain_command"),
    "init": ("server.commands.service", "init_command"),
    "key": ("server.commands.keys", "key"),
    "library": ("server.commands.library", "library"),
    "lottery": ("server.commands.chances", "lottery_command"),
    "migrate": ("server.storage.commands", "migrate_command"),
    "restore": ("server.commands.service", "restore_command"),
    "serve": ("server.commands.service", "serve_command"),
    "supervise": ("server.supervise.command", "supervise_command"),
    "unseal": ("server.commands.service", "unseal_command"),
    "verify": ("server.commands.verify", "verify_command"),
    "witness": ("server.commands.witness", "witness"),
}


class _Group(click.Group):
    """Loads a command when it is asked for; turns a refusal into one line and the right exit code, in whatever command it happens."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All, as the help lists them."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, loaded."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads has stopped reading; click ends quietly
        except OSError as broken:  # a disk that is full, a folder that is a file: whatever the system says, in one line
            _tell(Refused("cannot_write", str(broken.filename or ""), why=broken.strerror or ""))
            ctx.exit(1)
        except Refused as wrong:
            _tell(wrong)
            ctx.exit(2 if wrong.code in BAD_USE else 1)


def _tell(wrong: Refused) -> None:
    from server.refusals import say

    click.echo(say(wrong, language_of(sys.argv)), err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lotroom")
def cli() -> None:
    """Lotroom：可核验的评标专家随机抽取 / draws evaluation experts by lot so that anyone can check it."""


def main() -> None:
    """The installed command."""
    gc.disable()  # one job, then the end: a collector would walk through half a million records again and again and free nothing
    cli(prog_name="lotroom")


if __name__ == "__main__":
    main()
