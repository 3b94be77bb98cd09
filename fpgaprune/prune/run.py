"""A pruning run: turn by turn, weights are pruned, rewound where the schedule says so, and trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.explained.history import Event, EventKind, History, Record
from fpgaprune.prune.criteria import CRITERIA, Context
from fpgaprune.prune.dead import DeadBias, dead_biases, zeroing
from fpgaprune.prune.dynamic import Rigged, first_masks
from fpgaprune.prune.explain.scores import noted
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss, evaluate_metric
from fpgaprune.prune.schedule import Schedule
from fpgaprune.prune.seeding import local_seed, mix
from fpgaprune.prune.select import below
from fpgaprune.prune.snapshot import put_back, tensors_of
from fpgaprune.prune.structures import Goal, Subject
from fpgaprune.prune.training.trainer import Means, Trainer
from fpgaprune.prune.training.wiring import Wiring
from fpgaprune.prune.turns import Turn, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.recipe import PruneRecipe
    from fpgaprune.prune.settings import TrainSettings
    from fpgaprune.prune.training.moment import Moment


@dataclass(frozen=True, eq=False)
class State:
    """How far a run is: ``turns`` are over, and what comes before the training of the next one is done if ``begun``.

    ``initial`` is the share that was pruned when the stage of the turn began, ``origin`` what a lottery rewinds to,
    ``allowed`` where a pattern that moves may have weights, ``scores`` by what weights of the stage went or stayed.
    """

    masks: Masks
    history: History = field(default_factory=History)
    turns: int = 0
    begun: bool = False
    initial: float = 0.0
    origin: Mapping[str, Tensor] | None = None
    allowed: Masks | None = None
    scores: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Run:
    """A recipe at work on a model, which it changes in place.

    ``keep`` is told the state after each part of a turn, and within a training with what makes its moment.
    """

    model: nn.Module
    data: Data | None
    recipe: PruneRecipe
    means: Means
    keep: Callable[[State, Callable[[], Moment] | None], None] | None = None

    def all_turns(self, state: State | None = None, moment: Moment | None = None) -> State:
        """Return the last state of the run, from its beginning or from a state and a moment of it on.

        Raises:
            InputError: as ``prune``.
        """
        if state is None:
            with local_seed(self.recipe.seed):
                state = self._begun()
        for turn in turns(self.recipe)[state.turns :]:
            if not state.begun:
                with local_seed(self.recipe.seed, turn.step, turn.within):
                    state = self._prepared(turn, state)
                self._keep(state)
            state = self._trained(turn, state, moment)
            moment = None
            self._keep(state)
        return state

    def _keep(self, state: State, moment: Callable[[], Moment] | None = None) -> None:
        if self.keep is not None:
            self.keep(state, moment)

    def _begun(self) -> State:
        masks = Masks.of_nonzeros(self.model) if self.recipe.keep_pruned else Masks.full(self.model)
        return State(masks, self._measured(0, masks))

    def _prepared(self, turn: Turn, state: State) -> State:
        """Return the state before the training of a turn: pruned, rewound, and measured."""
        if turn.opens:
            share = turn.stage.structure.share(self._subject(state.masks), turn.stage.layers)
            state = replace(state, initial=share, scores={})
        if not turn.prunes:
            return replace(state, begun=True, origin=None if turn.stage.rewind_epoch else tensors_of(self.model))
        masks, scores = self._pruned(turn, state)
        history = self._rewound(turn, state, masks) if turn.rewinds else History()
        masks.apply_(self.model)
        zeroing(self.model, self._dead(masks))(self.model)
        history = state.history + history + self._measured(turn.step, masks)
        moves = turn.stage.schedule is Schedule.RIGL
        allowed = state.masks if moves else None
        return replace(state, begun=True, masks=masks, history=history, allowed=allowed, scores=scores)

    def _pruned(self, turn: Turn, state: State) -> tuple[Masks, Mapping[str, Tensor]]:
        """Return the masks after a turn, and the scores by which weights of its stage went or stayed so far."""
        stage, seed = turn.stage, self.recipe.seed
        if stage.schedule is Schedule.RIGL:
            return first_masks(self.model, stage, seed, state.masks), {}
        means, masks = self.means, state.masks
        loss = means.loss or default_loss
        context = Context(self.model, self.data, loss, seed, masks, stage.samples, means.progress, means.train_step)
        scores = CRITERIA[stage.criterion](prunable(self.model), context)
        known = noted(state.scores, scores, state.masks, self.model)
        if stage.threshold is not None:
            return below(scores, stage.threshold, state.masks), known
        target, layers = turn.target(state.initial)
        goal = Goal(target, stage.scope, layers, stage.group_score)
        return stage.structure.prune_(self._subject(state.masks), scores, goal), known

    def _subject(self, masks: Masks) -> Subject:
        return Subject(self.model, masks, self.data)

    def _rewound(self, turn: Turn, state: State, masks: Masks) -> History:
        epoch = turn.stage.rewind_epoch
        if state.origin is None:
            msg = f"the training that finds what to rewind to ended before its epoch {epoch}; lower rewind_epoch"
            raise InputError(msg)
        put_back(self.model, masks.shrinkage.cut(state.origin, self.model))
        text = f"the weights that are left went back to those after epoch {epoch} of the first training"
        return History(events=(Event(turn.step, 0, EventKind.REWOUND, text, epoch),))

    def _trained(self, turn: Turn, state: State, moment: Moment | None) -> State:
        """Return the state after the training of a turn; the first one of a lottery finds what to rewind to."""
        over = replace(state, turns=state.turns + 1, begun=False)
        if self.data is None:
            return over
        origin = state.origin

        def keep(epochs: int, moment: Callable[[], Moment]) -> None:
            nonlocal origin
            if not turn.prunes and epochs == turn.stage.rewind_epoch:
                origin = tensors_of(self.model)
            self._keep(replace(state, origin=origin), moment)

        wiring = self._wiring(turn, state)
        first = turn.stage.rewind_epoch if turn.rewinds else 0
        label = f"training at sparsity {state.masks.sparsity:.1%}"
        settings = self._settings(turn)
        trainer = Trainer(self.model, self.data, settings, wiring, self.means, label, first, turn.step, keep)
        history = state.history + trainer.run(moment)
        return replace(over, masks=wiring.masks or state.masks, history=history, origin=origin)

    def _settings(self, turn: Turn) -> TrainSettings:
        """Return the settings with a seed of the turn; the rounds of a lottery all see the samples in one order."""
        settings = turn.stage.fine_tune
        step = turn.step - turn.within if turn.stage.schedule is Schedule.LOTTERY else turn.step
        return replace(settings, seed=mix(self.recipe.seed, settings.seed, step))

    def _wiring(self, turn: Turn, state: State) -> Wiring:
        masks = state.masks
        if turn.stage.schedule is Schedule.RIGL:
            return Rigged(self.model, masks, turn.stage.rigl, state.allowed or Masks.full(self.model), self._dead)
        return Wiring(self.model, masks, dead=self._dead)

    def _dead(self, masks: Masks) -> Mapping[str, tuple[int, ...]]:
        return dead_biases(self.model, masks) if self.recipe.dead_bias is DeadBias.ZERO else {}

    def _measured(self, step: int, masks: Masks) -> History:
        if self.data is None:
            return History()
        metric = partial(evaluate_metric, self.model, self.data, self.means.metric)
        validation = metric(part="validation") if self.data.validation is not None else None
        return History((Record(step, 0, masks.sparsity, None, metric(), validation),))
