"""Training as a generator of records: it draws and prints nothing, and what it saves resumes to the same bits."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gencli.batches import Rows, epoch_rows
from gencli.checkpoint import Checkpoint, stored_model, write_checkpoint
from gencli.codecs.music import MusicCodec
from gencli.config import SampleConfig
from gencli.errors import TrainingError
from gencli.evaluation import evaluate, evaluation_seconds, steps_between
from gencli.improvising import sketches
from gencli.kernels.compile import CompileClock
from gencli.kernels.counter import mix
from gencli.kernels.threads import Team
from gencli.leaning import with_lean
from gencli.model_file import resume_path, write_model
from gencli.network import Network
from gencli.optimizer import AdamW, learning_rate
from gencli.progress import Meter, News, Progress, Step
from gencli.recipe import Plan, make_plan
from gencli.rehearsal import Beside, rehearse
from gencli.sampling import Sampler

Array = NDArray[Any]
CHECKPOINT_SECONDS = 20.0  # what a kill can cost at most
RECOVERIES = 3  # times a loss that is not finite is answered with half the learning rate
_DROPOUT = 0xD0


class Training:
    """One run over a plan. Iterate `fit()`; call `interrupt()` from elsewhere to end it early and well."""

    def __init__(
        self,
        plan: Plan,
        output: Path,
        threads: int,
        *,
        sample_every: int | None = None,
        initial: dict[str, Array] | None = None,
        save: bool = True,
    ) -> None:
        self.plan, self.output, self.sample_every, self.save = plan, output, sample_every, save
        self.lead = 0.0  # seconds that a budget of time had lost before training began
        self.resume_path = resume_path(output)
        self._clock = CompileClock()
        with self._clock:
            halved = plan.train.precision == "bfloat16"
            self.network = Network(plan.network, Team(threads), halved=halved)
            if initial is None:
                self.network.initialise(plan.train.seed)
            else:
                self.network.load(initial)
        self.best = self.network.flat.copy()  # by validation loss; until the first evaluation the initial weights
        self.optimizer = AdamW(self.network, plan.train.optimizer)
        self.state = self.network.state(plan.train.batch_size)
        self.progress = Progress()
        self.interrupted = False
        self._reader = self.network.reader(self.optimizer.averaged)  # evaluations and samples are of what is kept
        self._closing_seconds = 0.0  # what the last evaluation will take
        self._evaluated = 2 if plan.train.optimizer.average > 0 else 1  # weights that it tries

    @classmethod
    def resume(cls, sources: Sequence[str], output: Path, threads: int, *, sample_every: int | None = None) -> Training:
        """The run that stopped at `output`, on the same sources; all settings are those it began with.

        Raises ModelFileError where there is nothing to resume, TrainingError where the data is another.
        """
        checkpoint = Checkpoint(resume_path(output))
        plan = make_plan(sources, *checkpoint.ingredients())
        checkpoint.check_data(plan)
        run = cls(plan, output, threads, sample_every=sample_every)
        run.progress = checkpoint.restore(run.network, run.optimizer, run.state, run.best)
        run._reader.pack()
        return run

    @property
    def finished(self) -> bool:
        """Whether training came to its own end."""
        return self.progress.finished

    @property
    def best_loss(self) -> float | None:
        """The validation loss of the weights that are kept; None without validation."""
        return self.progress.best_loss

    def interrupt(self) -> None:
        """Ask `fit` to save and end after the step under way."""
        self.interrupted = True

    def fit(self) -> Iterator[Step]:
        """Train to the end of the plan, to patience's end or to an interrupt; yields records as they come.

        Raises TrainingError when the loss keeps leaving the finite numbers; the best weights are saved before.
        """
        with self._clock:
            entered = time.perf_counter() - self._clock.seconds
            self._compile()
            if self.plan.train.minutes is not None:
                once = evaluation_seconds(self._reader, self.plan.valid_data, self.plan)
                self._closing_seconds = self._evaluated * once
            self._started = time.perf_counter() - self.progress.seconds - self._clock.seconds
            self._saved = time.perf_counter()
            if self.lead > 0:
                self.lead += self._saved - entered - self._clock.seconds
            if self.progress.step == 0:
                self._checkpoint()
            try:
                yield from self._steps()
            finally:
                self.network.team.close()

    def _compile(self) -> None:
        """Have all kernels compiled, or read from the cache, before time counts; nothing is learned."""
        draws = not isinstance(self.plan.codec, MusicCodec)
        beside = Beside(self.plan.network, draws, self.network.team.size)
        if beside.running:
            self.network.learn(self._rows().batch(0), self.network.state(self.plan.train.batch_size), key=0)
        beside.wait()
        rehearse(self._reader, draws)

    def seconds(self) -> float:
        """Seconds of training so far, compiling left out."""
        return time.perf_counter() - self._started - self._clock.seconds

    def share_done(self) -> float:
        """How much of training is over, 0 ... 1: of the tokens, the steps or the time, whichever is furthest."""
        train, done = self.plan.train, 0.0
        if train.minutes is not None:
            done = self.seconds() / max(60 * train.minutes - self.lead - self._closing_seconds, 1e-3)
        else:
            done = self.progress.tokens / (train.epochs * self.plan.train_tokens)
        if train.max_steps is not None:
            done = max(done, self.progress.step / train.max_steps)
        return min(done, 1.0)

    def _rows(self) -> Rows:
        """The documents of the pass under way, in its order, tunes in the keys of this pass."""
        train = self.plan.train
        data = self.plan.codec.varied(self.plan.train_data, train.seed, self.progress.epoch)
        return epoch_rows(data, train.seed, self.progress.epoch, train.batch_size, train.seq_length)

    def _steps(self) -> Iterator[Step]:
        """All steps that are left, record by record."""
        progress, rows = self.progress, self._rows()
        meter, evaluate_every = Meter(self.seconds), steps_between(self.plan)
        while not progress.finished:
            event = self._learn(rows, meter)
            if progress.window == len(rows):
                progress.window, progress.epoch = 0, progress.epoch + 1
                rows, self.state = self._rows(), self.network.state(self.plan.train.batch_size)
            done = self.share_done()
            due = progress.step % evaluate_every == 0
            news = News(event=event)
            if event is None and (due or done >= 1.0):
                began = time.perf_counter()
                valid_loss = self._evaluate(self._epoch(rows), last=done >= 1.0)
                news = News(valid_loss, self._samples(done), train_loss=progress.history[-1]["train_loss"])
                progress.finished = done >= 1.0 or self._out_of_patience() or self._on_target()
                self._closing_seconds = self._evaluated * (time.perf_counter() - began)
            if news != News() or meter.due() or progress.finished:
                yield meter.record(progress, self._epoch(rows), done, self._clock.seconds, news)
            if self.interrupted and not progress.finished:
                break
            if time.perf_counter() - self._saved > CHECKPOINT_SECONDS and not progress.finished:
                self._checkpoint()
        self._end()

    def _epoch(self, rows: Rows) -> float:
        """Passes over the documents so far, the one under way in part."""
        return self.progress.epoch + self.progress.window / len(rows)

    def _learn(self, rows: Rows, meter: Meter) -> str | None:
        """One window; gives what to tell the user where the numbers ran away."""
        progress = self.progress
        batch = rows.batch(progress.window)
        losses = self.network.learn(batch, self.state, mix(self.plan.train.seed, _DROPOUT, progress.step))
        weight = float(batch.weights.sum(dtype=np.float64))
        loss = float((losses * batch.weights).sum(dtype=np.float64))
        optimizer = self.plan.train.optimizer
        rate = learning_rate(self.share_done(), optimizer.warmup, optimizer.lr) * progress.rate_factor
        norm = self.optimizer.step(rate) if math.isfinite(loss) else math.inf
        progress.step += 1
        progress.window += 1
        progress.tokens += round(weight)
        if not math.isfinite(norm):
            return self._recover()
        progress.loss_sum += loss
        progress.loss_weight += weight
        meter.add(loss, weight, rate, norm)
        return None

    def _recover(self) -> str:
        """Go back to the best weights with half the learning rate; TrainingError after the last such time."""
        progress = self.progress
        progress.recoveries += 1
        self.network.flat[:] = self.best
        self.network.pack()
        self.optimizer.reset()
        self.state = self.network.state(self.plan.train.batch_size)
        if progress.recoveries > RECOVERIES:
            self._end()
            raise TrainingError(
                f"{self.plan.source}: the loss left the finite numbers {progress.recoveries} times; "
                f"try --lr {self.plan.train.optimizer.lr / 10:g}, or --clip 1"
            )
        progress.rate_factor /= 2
        rate = self.plan.train.optimizer.lr * progress.rate_factor
        return f"the loss is not finite: back to the best weights, learning rate now at most {rate:g}"

    def _evaluate(self, epoch: float, last: bool) -> float | None:
        """The validation loss, noted in the history; the best weights are kept. None without validation documents.

        The last evaluation tries the weights themselves too: averages lag behind where much is still being learned.
        """
        progress = self.progress
        valid_loss, best = None, progress.best_loss
        if len(self.plan.valid_data.ids):
            readers = [self._reader, self.network.reader()] if last and self._evaluated > 1 else [self._reader]
            valid_loss = min((loss for loss in map(self._try, readers) if math.isfinite(loss)), default=None)
            progress.stale = progress.stale + 1 if progress.best_loss == best else 0
        else:
            self.best[:] = self._reader.flat
        train_loss = progress.loss_sum / max(progress.loss_weight, 1.0)
        entry = {"step": progress.step, "epoch": epoch, "train_loss": train_loss, "valid_loss": valid_loss}
        progress.history.append(entry)
        progress.loss_sum = progress.loss_weight = 0.0
        progress.evaluations += 1
        return valid_loss

    def _try(self, reader: Network) -> float:
        """The validation loss of some weights, which are kept if they are the best so far."""
        reader.pack()
        loss = evaluate(reader, self.plan.valid_data, self.plan)
        if math.isfinite(loss) and (self.progress.best_loss is None or loss < self.progress.best_loss):
            self.progress.best_loss = loss
            self.best[:] = reader.flat
        return loss

    def _out_of_patience(self) -> bool:
        return 0 < self.plan.train.patience <= self.progress.stale

    def _on_target(self) -> bool:
        target, best = self.plan.train.target, self.progress.best_loss
        return target is not None and best is not None and best <= target

    def _samples(self, done: float) -> tuple[str, ...]:
        """A few fresh samples where they are due: about ten times in a run, or every so many evaluations."""
        every, progress = self.sample_every, self.progress
        if every == 0 or (every is not None and progress.evaluations % every != 0):
            return ()
        if every is None and done - progress.sampled < 0.1 and done < 1.0:
            return ()
        progress.sampled = done
        if isinstance(self.plan.codec, MusicCodec):
            self._reader.pack()
            return sketches(self._reader, self.plan.codec, mix(self.plan.train.seed, progress.step) >> 1)
        stream = self.plan.documents == "stream"
        config = SampleConfig(max_length=160 if stream else 80, seed=mix(self.plan.train.seed, progress.step) >> 1)
        self._reader.pack()
        sampler = Sampler(self._reader, self.plan.codec, config, "", with_eos=not stream)
        return tuple(drawn.text for drawn in sampler.draw(range(1 if stream else 3)))

    def _checkpoint(self) -> None:
        """Save what resuming needs."""
        if self.save:
            self.progress.seconds = self.seconds()
            parts = (self.plan, self.progress, self.network, self.optimizer, self.state, self.best)
            write_checkpoint(self.resume_path, *parts)
        self._saved = time.perf_counter()

    def _end(self) -> None:
        """Save the model, and unless training is over what resuming needs."""
        if not self.save:
            return
        if not self.progress.finished:
            self._checkpoint()
        weights = self.best if self.progress.history else self._reader.flat
        codec = self.plan.codec
        if isinstance(codec, MusicCodec):
            codec = with_lean(codec, self.network.reader(weights), self.plan.valid_data)
        write_model(self.output, stored_model(self.plan, codec, self.progress, self.network, weights))
        if self.progress.finished:
            self.resume_path.unlink(missing_ok=True)
