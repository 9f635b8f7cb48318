"""What is drawn once: the plan, a model's facts and its history, scores, continuations, the list of corpora."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gencli.display import about, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from gencli.corpus import BundledCorpus
    from gencli.estimate import Estimate
    from gencli.figures import Figures
    from gencli.model import Model
    from gencli.recipe import Plan

SETTING_WIDTH = 26  # columns that one setting of a plan takes
SURPRISE = ((0.5, "green"), (1.5, "cyan"), (3.0, "yellow"), (5.0, "red"), (math.inf, "bold white on red"))  # nats
CURVE_WIDTH, CURVE_HEIGHT = 48, 8  # characters
AXIS, NAME, NAME_AND_LOSS = 8, 6, 12  # columns left and right of a curve
FRAME = 4  # columns of a panel's frame
NARROWEST_CHART = 40  # columns of a terminal: in fewer no curve can be made out
CURVE_STYLES = ("blue", "bold yellow")  # of the training and the validation loss
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character: rows of two
COLUMNS = ("logprob", "tokens", "OOV", "perplexity", "text")
Point = tuple[float, float]
Entry = Mapping[str, float | int | None]  # of a history: step, epoch, train_loss, valid_loss


def bytes_text(count: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def documents_text(mode: str, train: int, valid: int, tokens: int, valid_tokens: int | None = None) -> str:
    """What there is to learn from."""
    if mode == "stream":
        held_out = f", {plural(valid_tokens, 'token')} held out" if valid_tokens is not None else ""
        return f"one long text, {plural(tokens, 'token')} to learn from{held_out}"
    return f"{plural(train, mode)} to learn from ({plural(tokens, 'token')}), {valid:,} held out"


def unknown_text(plan: Plan) -> str:
    """How much of the text the vocabulary lacks; nothing where that is none and none was to be expected."""
    learned, held_out = plan.unknown_shares
    if learned == held_out == 0 and not plan.codec.keeps_unknown:
        return ""
    if learned == 0 and plan.codec.level == "music":
        return "" if held_out == 0 else f"; <UNK> is {held_out:.1%} of the tokens held out"
    if learned == 0 and plan.codec.keeps_unknown:
        return "; all of the text's words: <UNK> is not learned (a higher --min-count has it learned)"
    more = f", {held_out:.1%} of those held out" if plan.valid_tokens else ""
    return f"; <UNK> is {learned:.1%} of the tokens to learn from{more}"


def settings_of(plan: Plan) -> list[tuple[str, str]]:
    """The settings of a plan by the names of their options; `*` marks those that gencli chose."""
    network, train = plan.network, plan.train
    values: dict[str, object] = {"documents": plan.documents, "cell": network.cell}
    if network.activation != "tanh":
        values["activation"] = network.activation
    values |= {"hidden_size": network.hidden_size, "layers": network.layers, "dropout": network.dropout}
    if network.embedding_size:
        values |= {"embedding_size": network.embedding_size, "tie": "yes" if network.tied else "no"}
        values |= {"softmax": "adaptive" if network.cutoffs else "full", "input_dropout": network.input_dropout}
    values |= {"weight_dropout": network.weight_dropout} if network.weight_dropout else {}
    values |= {"variational": "yes"} if network.variational else {}
    values |= {"batch_size": train.batch_size, "seq_length": train.seq_length}
    values |= {"epochs": train.epochs} if train.minutes is None else {"minutes": train.minutes}
    values |= {} if train.max_steps is None else {"max_steps": train.max_steps}
    rates = train.optimizer
    values |= {"lr": rates.lr, "clip": rates.clip, "clip_value": rates.clip_value}
    values |= {"average": rates.average} if rates.average else {}
    values |= {} if train.target is None else {"target": train.target}
    values |= {"weight_decay": rates.weight_decay, "patience": train.patience, "seed": train.seed}
    values["precision"] = train.precision
    shown = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    marked = {name: f"{value} *" if name in plan.chosen else value for name, value in shown.items()}
    return [(name.replace("_", "-"), value) for name, value in marked.items()]


def plan_table(plan: Plan, output: Path, parameters: int, memory: int, width: int) -> RenderableType:
    """A plan: the corpus, the cost, every setting."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    counts = (plan.train_documents, plan.valid_documents, plan.train_tokens, plan.valid_tokens)
    reason = "cannot be read" if plan.codec.level == "music" else f"no {plan.choices.encoding} text"
    skipped = f"; {plural(plan.skipped_files, 'file')} skipped: {reason}"
    documents = "tune" if plan.codec.level == "music" else plan.documents
    corpus = f"{plan.source}: {documents_text(documents, *counts)}{skipped if plan.skipped_files else ''}"
    facts.add_row("corpus", Text(corpus))
    facts.add_row("vocabulary", f"{plan.codec.description}{unknown_text(plan)}")
    facts.add_row("network", f"{plural(parameters, 'parameter')}, about {bytes_text(memory)} of memory to train")
    steps = "as many steps as the time allows" if plan.steps is None else plural(plan.steps, "step")
    facts.add_row("training", f"{steps}, {plan.steps_per_epoch:,} to an epoch")
    facts.add_row("model", Text(str(output)))
    pairs = max(1, min(3, width // SETTING_WIDTH))
    grid = Table.grid(padding=(0, 2))
    for _ in range(pairs):
        grid.add_column(style="dim")
        grid.add_column()
    settings = settings_of(plan)
    for start in range(0, len(settings), pairs):
        row = [cell for pair in settings[start : start + pairs] for cell in pair]
        grid.add_row(*row)
    legend = [Text("* chosen from the corpus", style="dim")] if plan.chosen else []
    return Group(facts, Text(""), grid, *legend)


def cost_lines(estimate: Estimate, threads: int) -> list[str]:
    """What a dry run measured."""
    return [f"expected time: {about(estimate.seconds)} with {plural(threads, 'thread')}"]


def kept_entry(history: Iterable[Entry]) -> Entry | None:
    """The evaluation whose weights were kept: the first with the least validation loss; None without validation."""
    measured = [entry for entry in history if entry["valid_loss"] is not None]
    return min(measured, key=lambda entry: entry["valid_loss"] or 0.0, default=None)


def info_panel(model: Model, path: Path, parameters: int, width: int, ascii_only: bool) -> RenderableType:
    """What a model is, what it learned from, and how its losses went."""
    network, info = model.stored.network, model.info
    layers = f"{plural(network.layers, 'layer')} of {plural(network.hidden_size, 'unit')}"
    dropout = f", dropout {network.dropout:g}" if network.dropout else ""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("network", f"{network.cell}, {layers}{dropout}; {plural(parameters, 'parameter')}")
    facts.add_row("vocabulary", model.codec.description)
    counts = (info.train_documents, info.valid_documents, info.train_tokens)
    documents = "tune" if model.codec.level == "music" else info.documents
    facts.add_row("corpus", Text(f"{info.source}: {documents_text(documents, *counts)}"))
    last = info.history[-1] if info.history else None
    if last is not None:
        steps = plural(int(last["step"] or 0), "step")
        facts.add_row("trained", f"{steps}, {last['epoch']:.1f} epochs, seed {info.seed}")
    if info.valid_loss is not None:
        bits = info.valid_loss / math.log(2)
        kept = kept_entry(info.history)
        where = f" at epoch {kept['epoch']:.1f}" if kept is not None else ""
        loss = f"{info.valid_loss:.3f} nats a token ({bits:.3f} bits){where}"
        facts.add_row("validation", f"{loss}; these weights are kept")
    facts.add_row("file", f"{bytes_text(path.stat().st_size)}, written by gencli {info.written_by}")
    parts: list[RenderableType] = [facts]
    train, valid = points_of(info.history, "train_loss"), points_of(info.history, "valid_loss")
    if len(train) > 1 and width >= NARROWEST_CHART:
        parts += [Text(""), history_curve(train, valid, ascii_only, width - FRAME)]
    return Panel(Group(*parts), title=Text(one_line(info.name), style="bold"), title_align="left", expand=False)


def points_of(history: Iterable[Entry], key: str) -> list[Point]:
    """The (epoch, loss) of the records that have this loss."""
    return [(float(entry["epoch"] or 0), value) for entry in history if (value := entry[key]) is not None]


def history_curve(train: Sequence[Point], valid: Sequence[Point], ascii_only: bool, room: int = 80) -> Text:
    """Losses against epochs, a few lines high; each curve named at its end, the axis at its ends.

    Where `room`, in columns, is scarce, the names lose their losses first, then the plot becomes narrower.
    """
    with_losses = room >= AXIS + CURVE_WIDTH + NAME_AND_LOSS
    width = min(CURVE_WIDTH, room - AXIS - NAME)
    points = [*train, *valid]
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    last = max(x for x, _ in points)
    span = max(highest - lowest, 1e-9)
    across, down = (1, 1) if ascii_only else (2, 4)
    cells: dict[tuple[int, int], list[int]] = {}  # (row, column) -> dots, which curve
    names: dict[int, tuple[str, int]] = {}  # line -> a curve's name, which curve
    for which, curve in enumerate((train, valid)):
        if not curve:
            continue
        row = 0
        for x, y in interpolated(curve, width * across):
            column = min(int(x / max(last, 1e-9) * (width * across - 1)), width * across - 1)
            row = round((highest - y) / span * (CURVE_HEIGHT * down - 1))
            cell = cells.setdefault((row // down, column // across), [0, which])
            cell[0] |= 0 if ascii_only else DOTS[row % down][column % across]
            cell[1] = which
        place = row // down
        if place in names:  # both end in one line: name this curve in the next
            place += 1 if place == 0 else -1
        names[place] = (("train", "valid")[which] + (f" {curve[-1][1]:.3f}" if with_losses else ""), which)
    text = Text(no_wrap=True, overflow="crop")
    for row in range(CURVE_HEIGHT):
        ends = {0: f"{highest:7.3f} ", CURVE_HEIGHT - 1: f"{lowest:7.3f} "}
        text.append(ends.get(row, " " * 8), "dim")
        for column in range(width):
            dots, which = cells.get((row, column), (0, -1))
            mark = " " if which < 0 else ".*"[which] if ascii_only else chr(0x2800 + dots)
            text.append(mark, CURVE_STYLES[which] if which >= 0 else "")
        if row in names:
            name, which = names[row]
            text.append(f" {name}", CURVE_STYLES[which])
        text.append("\n")
    text.append(f"{'epoch 0':>15}{f'{last:.0f}':>{width - 7}}", "dim")
    return text


def interpolated(curve: Sequence[Point], count: int) -> Iterable[Point]:
    """The curve's points and enough between them that `count` columns show no gap."""
    yield curve[0]
    for (x0, y0), (x1, y1) in pairwise(curve):
        for part in range(1, count + 1):
            share = part / count
            yield x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def number(value: float, digits: int = 3) -> str:
    """A number for a table: fixed digits, or an exponent where those would be too many."""
    return f"{value:.{digits}f}" if abs(value) < 1e7 else f"{value:.{digits}e}"


def score_cells(score: Figures, label: str, scale: float) -> list[str]:
    """The columns of one score; `scale` turns nats into the unit wanted."""
    return [number(score.logprob * scale), str(score.tokens), str(score.oov), number(score.perplexity), label]


def score_row(cells: Sequence[str], aligned: bool) -> str:
    """Cells as a line: right-aligned numbers before the text, or parted by tabs."""
    if not aligned:
        return "\t".join(cells)
    widths = (12, 7, 5, 12) if len(cells) == len(COLUMNS) else (12, 10, 7, 5, 12)
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False)) + f"  {cells[-1]}"


def escaped(text: str) -> str:
    """A text in one line and one cell: line ends, tabs and other control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def surprise_text(pieces: Sequence[tuple[str, float]], scale: float) -> Text:
    """The symbols of a text coloured by how little the model expected them, then the text's log-probability."""
    text = Text()
    for symbol, logprob in pieces:
        text.append(symbol, next(style for limit, style in SURPRISE if -logprob <= limit or limit == math.inf))
    text.append(f"  {number(sum(p for _, p in pieces) * scale)}", "dim")
    return text


def surprise_legend() -> Text:
    """What the colours mean."""
    text = Text("nats a symbol: ", "dim")
    below = 0.0
    for limit, style in SURPRISE:
        text.append(f" {below:g}-{limit:g} " if limit < math.inf else f" over {below:g} ", style)
        below = limit
    return text


def next_table(choices: Sequence[tuple[str, float]], label: str) -> Table:
    """The likeliest continuations of the text so labelled, with their probabilities."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for symbol, share in choices:
        named = repr(symbol) if symbol.isspace() else symbol
        table.add_row(f"{share:.4f}", Text.assemble((label, "dim"), (named, "bold")))
    return table


def corpora_table(corpora: Iterable[BundledCorpus]) -> Table:
    """The bundled corpora."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("name", "kind"):
        table.add_column(name)
    for name in ("documents", "characters"):
        table.add_column(name, justify="right")
    table.add_column("origin", overflow="fold")
    for corpus in corpora:
        table.add_row(
            Text(corpus.name, style="bold"), corpus.kind, f"{corpus.documents:,}", f"{corpus.size:,}", corpus.origin
        )
    return table
