"""One process of a backtest: both rule sets over its share of the devices, read from standard input."""

import os
import sys
import traceback
from typing import BinaryIO

import msgspec
import numpy as np

from diagnostics.faults import load_faults
from gateway.backtest.answers import AssumedAnswers
from gateway.backtest.figures import Tally
from gateway.backtest.frames import Report, Share, read_piece, read_share
from gateway.backtest.sharing import SharedEngine, common_catalogue
from gateway.config import Config
from gateway.errors import ForewarnError
from gateway.history.layouts import Layouts
from gateway.history.names import Names
from gateway.history.rows import Stored, inbound
from gateway.history.span import Piece
from gateway.loading import pipeline_settings
from gateway.pipeline import EMPTY, Pipeline
from gateway.ports import Inbound, Notice
from gateway.registry import load_registry
from rules.loader import load_files
from rules.symbols import Channel, DeviceId, Symbols


class _Side:
    """One rule set with all that it leads to."""

    def __init__(self, pipeline: Pipeline, answers: AssumedAnswers) -> None:
        self.pipeline = pipeline
        self.answers = answers
        self.tally = Tally()


class ShareRun:
    """Works out a share.

    Attributes:
        rules: that are evaluated, each that both sides have once.
        done: messages so far.

    Raises:
        UserError: the registry is wrong.
    """

    def __init__(self, share: Share) -> None:
        self._share = share
        self._symbols = Symbols()
        self._stored = _stored(share)
        config = Config.model_validate(share.config)
        rulesets = [load_files((n, t.encode()) for n, t in files) for files in (share.today, share.candidate)]
        catalogue = common_catalogue(rulesets)
        shared = SharedEngine(rulesets, catalogue, self._symbols) if catalogue else None
        settings = pipeline_settings(config, None)
        registry, faults = load_registry(config.registry_dir, config.registry_path), load_faults()
        self._sides: list[_Side] = []
        for number, ruleset in enumerate(rulesets):
            answers = AssumedAnswers(share.answers, settings.probe_deadline_ms, share.since)
            pipeline = Pipeline(
                symbols=self._symbols,
                ruleset=ruleset,
                faults=faults,
                registry=registry,
                settings=settings,
                evaluator=shared.sides[number] if shared else None,
                answers=answers,
            )
            self._sides.append(_Side(pipeline, answers))
        self.rules = len(shared.rules) if shared else sum(len(ruleset.rules) for ruleset in rulesets)
        self.done = 0
        self._push(Inbound(EMPTY, self._standing()), counts=False)

    def _standing(self) -> tuple[Notice, ...]:
        numbers = self._stored.devices
        return tuple(
            Notice(
                entry.kind,
                0,
                int(numbers.from_file(self._symbols.devices, np.array([entry.device]))[0]),
                self._share.start,
                entry.body,
            )
            for entry in self._share.standing
        )

    def take(self, piece: Piece) -> None:
        """Work on a piece."""
        self._push(inbound(self._symbols, piece.messages, piece.notices, self._stored), counts=piece.counts)
        self.done += len(piece.messages)

    def end(self) -> Report:
        """Let time pass up to the end, and return what came of it."""
        for side in self._sides:
            side.tally.take(side.pipeline.tick(self._share.to), counts=True)
        today, candidate = (
            side.tally.figures(
                probes=side.answers.asked, answered=side.answers.answered, assumed=side.answers.assumed
            )
            for side in self._sides
        )
        return Report(done=self.done, sides=(today, candidate), rules=self.rules)

    def _push(self, arrived: Inbound, *, counts: bool) -> None:
        for side in self._sides:
            side.tally.take(side.pipeline.push(arrived), counts=counts)


def _stored(share: Share) -> Stored:
    """Return the numbers of the file, as the rows have them."""
    devices: Names[DeviceId] = Names()
    channels: Names[Channel] = Names()
    layouts = Layouts()
    for device in share.devices:
        devices.stored.intern(DeviceId(*device))
    for channel in share.channels:
        channels.stored.intern(Channel(*channel))
    for layout in share.layouts:
        layouts.stored.intern(tuple(layout))
    return Stored(devices, channels, layouts)


def main() -> None:
    """Work out what comes in on standard input; ends in silence when whoever sends it has gone."""
    pipe = sys.stdin.buffer
    try:
        _work(pipe)
    except EOFError:
        os._exit(0)
    except ForewarnError as error:
        _say(Report(error=str(error), status=error.exit_status))
    except Exception as error:  # nobody reads a traceback of ours: whoever began this tells what happened
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        _say(Report(error=f"the backtest failed, and it is forewarn's own fault: {told}", status=3))


def _work(pipe: BinaryIO) -> None:
    share = read_share(pipe)
    os.nice(share.niceness)
    run = ShareRun(share)
    while (piece := read_piece(pipe)) is not None:
        run.take(piece)
        _say(Report(done=run.done))
    _say(run.end())


def _say(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
