"""The command line. Each command is a file and imports what it needs only when it runs, so that help is quick."""

import click

from voiceflow.errors import DISTRIBUTION

from .call import call
from .doctor import doctor
from .graph import graph
from .models import models
from .new import new
from .printed import Commands
from .routes import routes
from .run import run
from .signing_key import signing_key


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  voiceflow new hello.py                              start a pipeline of your own
  voiceflow run hello.py                              put it behind a phone number
  voiceflow run hello.py --wav speech.wav heard.wav   call it with a recording
  voiceflow graph hello.py                            see what runs where
  voiceflow call ws://127.0.0.1:8000/sip/media-stream   call it with a simulated phone
  voiceflow doctor                                    see what is missing, and how to fix it
""",
)
@click.version_option(package_name=DISTRIBUTION, prog_name="voiceflow")
def main() -> None:
    """Live voice calls as pipelines of composable frame processors."""


main.add_command(run)
main.add_command(call)
main.add_command(graph)
main.add_command(new)
main.add_command(routes)
main.add_command(signing_key)
main.add_command(models)
main.add_command(doctor)
