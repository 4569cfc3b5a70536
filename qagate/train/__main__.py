"""python -m qagate.train COMMAND: pack, fit, export, and what else is in COMMANDS. Imported only when asked for."""

from __future__ import annotations

import importlib
import sys

from qagate.errors import QagateError
from qagate.train.pictures import Reader

COMMANDS = {
    "pack": ("qagate.train.pack", "make one file of a folder of volumes"),
    "glance": ("qagate.train.glance", "make the table of the second opinion on modality and region"),
    "fit": ("qagate.train.fit", "train the network on a pack"),
    "assess": ("qagate.train.assess", "fit what judges hand-made features beside the network"),
    "practise": ("qagate.train.practise", "train the eye further until it judges samples itself"),
    "export": ("qagate.train.export", "calibrate a checkpoint and write a bundle"),
    "benchmark": ("qagate.train.benchmark", "measure a bundle on the benchmark part of a pack"),
    "parts": ("qagate.train.parts", "measure what parts of a bundle are worth"),
    "unseen": ("qagate.train.unseen", "measure an assessor on artefacts that it never saw"),
    "contrasts": ("qagate.train.contrasts", "measure a bundle on real pairs of a better and a worse picture"),
    "ablate": ("qagate.train.ablations", "train and measure what the parts of the model are worth"),
    "card": ("qagate.train.card", "put the figures of a benchmark into a card"),
    "evaluate": ("qagate.train.evaluate", "measure a bundle on pictures with human scores"),
    "finetune": ("qagate.train.finetune", "adapt a bundle to human scores"),
    "trial": ("qagate.train.trial", "try fine-tuning on pictures that invented raters scored"),
}
"""Command → (module with main(arguments) -> exit status, one line of help)."""


WITH_PICTURES = ("evaluate", "finetune", "contrasts")
"""Commands that read pictures of any kind."""


def main(argv: list[str], reader: Reader | None = None) -> int:
    """Run one command. Returns its exit status: 0 done, 2 wrong use or input.

    reader: reads pictures that training does not know, as DICOM.
    """
    if not argv or argv[0] not in COMMANDS:
        asked = argv[0] if argv else "nothing"
        lines = [f"  {name:10} {text}" for name, (_, text) in COMMANDS.items()]
        print("usage: qagate train COMMAND ...\n" + "\n".join(lines), file=sys.stderr)
        if asked not in ("-h", "--help"):
            print(f"a command must be one of these, got {asked}", file=sys.stderr)
            return 2
        return 0
    module = importlib.import_module(COMMANDS[argv[0]][0])
    try:
        return int(module.main(argv[1:], reader) if argv[0] in WITH_PICTURES else module.main(argv[1:]))
    except QagateError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
