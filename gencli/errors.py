"""What can go wrong through the user's input, and is told in one line: what, where, what to do.

GencliError
  OptionError      an option's value, or two options that do not go together
  CorpusError      a source that cannot be read or holds nothing to learn from
  ModelFileError   a model file that cannot be read or written
  TrainingError    a training run that cannot go on
"""


class GencliError(Exception):
    """The user's input is at fault; the message is one line, and the command ends with exit code 1."""


class OptionError(GencliError):
    """An option has an unusable value, or contradicts another."""


class CorpusError(GencliError):
    """A source cannot be read, or holds nothing a model could learn from."""


class ModelFileError(GencliError):
    """A model file is missing, damaged, foreign, too new, or cannot be written."""


class TrainingError(GencliError):
    """Training cannot go on: the loss keeps leaving the finite numbers, or a run cannot be resumed."""
