"""Projects and designs of nets whose weights are given, with the counts that a manifest says of them."""

from __future__ import annotations

from fpgaprune.emit import emit
from fpgaprune.lower import lower
from fpgaprune.report import LayerPoint
from fpgaprune.report.facts import layer_facts
from fpgaprune.resources import estimate, together
from fpgaprune.schedule import multiply, schedule
from fpgaprune.sim import ProjectFolder
from fpgaprune.sparse import SparseMatrix
from tests.nets import PYNQ, mlp


def nets(weights, **options):
    """Return a net of dense matrices whose sizes are theirs."""
    sizes = (weights[0].shape[1], *(each.shape[0] for each in weights))
    return mlp(sizes, weights=[SparseMatrix.from_dense(each) for each in weights], **options)


def layer_of(graph, name="fc1", planner=multiply, pruned=None, quantised=None, weights=None):
    """Return a layer of a net as a comparison sees it; ``pruned`` and ``quantised`` are non-zeros if not as built."""
    lowered = lower(schedule(graph, PYNQ, planner=planner))
    by_layer = {}
    for each in estimate(lowered).layers:
        if each.nonzeros:
            by_layer[each.layer] = together(by_layer[each.layer], each) if each.layer in by_layer else each
    facts = layer_facts(lowered, by_layer)[name]
    kept = facts.nonzeros if pruned is None else pruned
    built = facts.nonzeros if quantised is None else quantised
    return LayerPoint(name, weights or 1000, kept, built, facts.nonzeros, (), by_layer[name], facts=facts)


def project_of(folder, graph, label, planner=multiply, **options):
    """Write a project of a net whose manifest says what its layers have, and load it."""
    design = schedule(graph, PYNQ, planner=planner, **options)
    matrices = {op.output.name: op.weights for op in graph.ops if hasattr(op, "weights")}
    layers = [
        {
            "layer": name,
            "weights": int(matrix.shape[0] * matrix.shape[1]),
            "nonzeros_pruned": matrix.nonzeros,
            "nonzeros_quantised": matrix.nonzeros,
            "picture": [[0.5]],
        }
        for name, matrix in matrices.items()
    ]
    point = {"label": label, "float_accuracy": 0.9, "accuracy": 0.9, "layers": layers}
    emit(lower(design), None, extras={"point": point}).write(folder)
    return ProjectFolder.load(folder)
