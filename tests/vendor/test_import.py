"""Reports that were written elsewhere: tied to a project, kept in its folder, and given as `Resources`."""

from __future__ import annotations

import json
import os
import sys

import pytest

from fpgaprune.cli import main
from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.resources import Kind, estimate, to_data
from fpgaprune.sim import ProjectFolder
from fpgaprune.vendor import import_report, resources, stored
from fpgaprune.vendor.layers import LayerCounts, layers
from fpgaprune.vendor.tie import Identity
from fpgaprune.vendor.values import Counts, Instance
from tests.nets import mlp, project
from tests.vendor import written
from tests.vendor.written import NET, Module


@pytest.fixture(scope="module")
def text():
    return project(mlp((4, 3, 2), sparsity=0.3))


@pytest.fixture
def net(text, tmp_path):
    return ProjectFolder.load(text.write(tmp_path / "net"))


@pytest.fixture
def given(net, tmp_path):
    """Import a report under a name that says nothing."""

    def importing(report):
        path = tmp_path / "report"
        path.write_text(report)
        return import_report(net, path)

    return importing


def test_reports_of_one_stage_come_together_with_latency_from_csynth(net, given):
    given(written.module_rpt())
    given(written.hierarchy())
    given(written.flat())
    given(written.timing())
    kept = given(written.power())
    assert kept == stored(net, Kind.POST_ROUTE)
    assert [source.says for source in kept.sources] == [
        ("counts", "counts of layers"),
        ("counts",),
        ("timing",),
        ("power",),
    ]
    found = resources(net, Kind.POST_ROUTE)
    assert (found.kind, found.latency_cycles, found.interval_cycles) == (Kind.POST_ROUTE, 4, 1)
    assert [(layer.tensor, layer.lut, layer.bram_18k, layer.latency_cycles) for layer in found.layers] == [
        ("act1", 80, 2, 2),
        ("fc2", 45, 1, 1),
        ("", 5, 0, 0),
    ]
    assert found.measured.achieved_ns == 8.75
    assert to_data(found, net.design.board)["measured"]["total_w"] == 0.142
    assert resources(net, Kind.CSYNTH).total("lut") == 130


def test_exports_of_hls_are_resources_with_latency_from_csynth(net, given):
    given(written.module_rpt())
    given(written.export_xml())
    found = resources(net, Kind.POST_ROUTE)
    assert [(layer.tensor, layer.lut, layer.bram_18k) for layer in found.layers] == [
        ("act1", 80, 2),
        ("fc2", 45, 1),
        ("", 5, 0),
    ]
    assert (found.measured.tool, found.measured.achieved_ns) == ("Vivado 2024.2 (HLS export)", 6.125)
    given(written.power())  # of Vivado's own flow, whose netlist is another
    with pytest.raises(InputError, match="has no post-route counts"):
        resources(net, Kind.POST_ROUTE)


def test_an_export_names_its_top_by_its_own_name_alone(net, tmp_path):
    path = tmp_path / "net_export.rpt"
    path.write_text(written.export_brief(project="mine"))
    assert import_report(net, path).counts.lut == 130
    path.rename(tmp_path / "other_export.rpt")
    with pytest.raises(InputError, match="is of 'other'"):
        import_report(net, tmp_path / "other_export.rpt")


def test_what_describes_the_design_is_the_estimates(net, given):
    given(written.xml())
    counted, estimated = resources(net, Kind.CSYNTH), estimate(lower(net.design))
    for what in ("nonzeros", "adder_bits", "multipliers"):
        assert counted.total(what) == estimated.total(what)
    assert [layer.strategy for layer in counted.layers[:2]] == [layer.strategy for layer in estimated.layers]
    assert estimated.measured is None
    assert "measured" not in to_data(estimated, net.design.board)


def test_shared_look_up_tables_count_once(net, given):
    given(written.module_rpt())
    given(written.hierarchy(Module("net", 100, 60, parts=(Module("layer_act1", 80, 40), Module("layer_fc2", 30, 20)))))
    found = resources(net, Kind.POST_ROUTE)
    assert found.layers[-1].lut == -10
    assert found.total("lut") == 100


def test_kinds_never_mix(net, given):
    given(written.flat(state="Synthesized"))
    given(written.flat(Module("net", 99)))
    assert stored(net, Kind.POST_SYNTHESIS).counts.lut == 130
    assert stored(net, Kind.POST_ROUTE).counts.lut == 99
    assert stored(net, Kind.CSYNTH) is None


def test_another_version_of_the_tool_begins_anew(given):
    given(written.timing())
    kept = given(written.flat(version="2024.1"))
    assert (kept.tool, kept.timing, len(kept.sources)) == ("Vivado 2024.1", None, 1)


def test_what_is_missing_is_named(net, given):
    with pytest.raises(InputError, match=r"has no post-route report: run `fpgaprune synth`, or import one"):
        resources(net, Kind.POST_ROUTE)
    given(written.flat())
    with pytest.raises(InputError, match="has no csynth report"):
        resources(net, Kind.POST_ROUTE)
    given(written.module_rpt(Module("net", 5, latency="?", interval="?")))
    with pytest.raises(InputError, match="does not say latency and interval"):
        resources(net, Kind.POST_ROUTE)
    given(written.module_rpt())
    assert resources(net, Kind.POST_ROUTE).total("lut") == 130
    given(written.timing(state="Synthesized"))
    with pytest.raises(InputError, match="has no post-synthesis counts"):
        resources(net, Kind.POST_SYNTHESIS)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (written.xml(Module("other", 5)), r"is of 'other', not of the top function 'net'"),
        (written.xml(part="xc7z010clg400-1"), "is for the part xc7z010clg400-1, not for xc7z020clg400-1"),
        (written.xml(part="xc7z020-clg400-2"), "is for the part xc7z020-clg400-2"),
        (written.xml(clock="5.00"), "its clock is 5 ns, not 10 ns"),
        (written.timing(period="12.500"), r"its clock is 12\.5 ns, not 10 ns"),
        (written.timing(device="xc7z045-ffg900"), "is for the part xc7z045-ffg900-1"),
        (written.flat(Module("design_1_wrapper", 5)), "is of 'design_1_wrapper'"),
        (written.flat(Module("bd_0_wrapper", 5)), r"of 'bd_0_wrapper'.* import export_impl.xml or <top>_export.rpt"),
        (written.export_brief(project="mine"), "names neither its top .*; import net_export.rpt"),
        (written.export_brief(project="other_hls"), "is of 'other', not of"),
        (written.export_brief(part="xcvc1902-vsva2197-2MP-e-S"), "is for the part xcvc1902-vsva2197-2MP-e-S"),
        (written.export_results(period="5.000"), "its clock is 5 ns, not 10 ns"),
        (written.export_xml(Module("net", 9, parts=(Module("layer_conv7"),))), "it is of another network"),
        (written.export_xml(solution="fpgaprune_00000000"), "carries the tag 00000000 of another project"),
        (written.module_rpt(solution="fpgaprune_00000000"), "carries the tag 00000000 of another project"),
        (written.flat(command="report_utilization -file /x/reports/fpgaprune_0123abcd/u.rpt"), "the tag 0123abcd"),
        (
            written.xml(Module("net", 9, parts=(Module("layer_conv7"),))),
            "no kernel of this name: it is of another network",
        ),
    ],
)
def test_a_report_of_something_else_is_refused(net, given, report, message):
    with pytest.raises(InputError, match=message):
        given(report)
    assert not (net.path / "reports").exists()


@pytest.mark.parametrize("part", ["xc7z020clg400-1", "xc7z020-clg400-1", "7z020clg400-1", "XC7Z020-CLG400-1"])
def test_a_part_is_known_in_every_spelling(given, part):
    assert given(written.flat(device=part)).counts.lut == 130


def test_the_projects_tag_ties_a_report(net, given):
    tag = Identity.of(net).tag
    assert given(written.module_rpt(solution=f"fpgaprune_{tag}")).sources[-1].tagged
    assert not given(written.module_rpt()).sources[-1].tagged


def test_other_weights_have_another_identity(net, tmp_path):
    pruned = ProjectFolder.load(project(mlp((4, 3, 2), sparsity=0.9)).write(tmp_path / "pruned"))
    assert Identity.of(pruned).tag != Identity.of(net).tag
    (tmp_path / "report").write_text(written.module_rpt(solution=f"fpgaprune_{Identity.of(net).tag}"))
    import_report(net, tmp_path / "report")
    with pytest.raises(InputError, match="the weights differ"):
        import_report(pruned, tmp_path / "report")


def test_an_edited_project_takes_no_report(net, given):
    source = net.path / "src" / "kernels" / "fc2.cpp"
    source.write_text(source.read_text().replace("0", "1", 1))
    with pytest.raises(InputError, match=r"src/kernels/fc2\.cpp changed"):
        given(written.xml())


@pytest.mark.parametrize("damage", ["{", '{"schema": "fpgaprune-measurement-1"}', '{"schema": "other"}', "[]"])
def test_a_damaged_measurement_is_told(net, given, damage):
    given(written.xml())
    path = net.path / "reports" / "csynth.json"
    path.write_text(damage)
    with pytest.raises(InputError, match=r"csynth\.json is damaged"):
        stored(net, Kind.CSYNTH)


def test_a_measurement_of_other_weights_is_told(net, given):
    given(written.xml())
    path = net.path / "reports" / "csynth.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0" * 64}))
    with pytest.raises(InputError, match="belongs to another project"):
        stored(net, Kind.CSYNTH)


def test_files_that_cannot_be_reports(net, tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        import_report(net, tmp_path / "none")
    with pytest.raises(InputError, match="is a folder and not a file; give the reports in it one by one: csynth"):
        import_report(net, tmp_path)
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", (1 << 28) + 1)
    with pytest.raises(InputError, match="larger than 256 MiB"):
        import_report(net, tmp_path / "large")


TENSORS = {"fc": "fc", "fc_1": "fc.1", "scan": "scan", "h": "h"}


@pytest.mark.parametrize(
    ("module", "tensor"),
    [
        ("layer_fc", "fc"),
        ("net_layer_fc", "fc"),
        ("layer_fc_1", "fc.1"),  # a kernel of this name goes before a copy of another
        ("layer_fc_2", "fc"),
        ("layer_fc_s", "fc"),
        ("process_fc_1_Pipeline_VITIS_LOOP_3_1", "fc.1"),
        ("net_layer_fc_1__xdcDup__1", "fc.1"),
    ],
)
def test_modules_are_found_under_the_names_that_tools_give_them(module, tensor):
    counts = Counts(5, 0, 0, 0, 0)
    assert layers([Instance(module, counts, 3)], "net", TENSORS) == (LayerCounts(tensor, counts, 3),)


def test_a_loop_does_not_count_its_body_and_copies_add_up():
    body = Instance("layer_h", Counts(30, 8, 1, 0, 0), 4)
    loop = Instance(
        "process_scan", Counts(90, 20, 2, 1, 0), 60, (Instance("control", Counts(9, 0, 0, 0, 0), 1, (body, body)),)
    )
    found = layers([loop, Instance("fifo_w8_d2_S", Counts(3, 0, 0, 0, 0))], "net", TENSORS)
    assert found == (
        LayerCounts("scan", Counts(30, 4, 0, 1, 0), 60),
        LayerCounts("h", Counts(60, 16, 2, 0, 0), 4),
    )


def test_a_top_called_layer_is_no_kernel():
    counts = Counts(1, 0, 0, 0, 0)
    assert layers([Instance("layer_layer_fc", counts)], "layer", TENSORS) == (LayerCounts("fc", counts, None),)
    assert layers([Instance("layer_fc", counts)], "layer", TENSORS) == (LayerCounts("fc", counts, None),)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process and return exit code, standard output and standard error."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fpgaprune", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return call


def test_the_command_says_what_it_took_and_how_it_is_tied(net, run, tmp_path):
    (tmp_path / "report").write_text(written.timing())
    code, out, _ = run("import-report", net.path, tmp_path / "report")
    assert code == 0
    assert "timing, post-route of Vivado 2023.2; tied by top, part and clock alone" in out
    code, out, _ = run("import-report", net.path, tmp_path / "report", "--json")
    assert json.loads(out)["timing"] == {"clock_ns": 10.0, "achieved_ns": 8.75, "met": True}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        written.xml()[:700].encode(),
        written.flat(NET)[:1500].encode(),
        written.export_brief()[:400].encode(),
        written.export_results()[:700].encode(),
        written.export_xml()[:900].encode(),
    ],
)
def test_the_command_ends_with_two_and_one_line(net, run, tmp_path, content):
    (tmp_path / "report").write_bytes(content)
    code, out, err = run("import-report", net.path, tmp_path / "report")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path / 'report'}: ")
    assert err.count("\n") == 1


def test_the_command_says_which_reports_another_replaces(net, run, tmp_path):
    def imported(name, report, *more):
        (tmp_path / name).write_text(report)
        return run("import-report", net.path, tmp_path / name, *more)[1]

    assert "replaces" not in imported("first.rpt", written.flat())
    assert "replaces" not in imported("power.rpt", written.power())
    assert "it replaces first.rpt" in imported("second.rpt", written.flat())
    assert json.loads(imported("second.rpt", written.flat(), "--json"))["replaced"] == ["second.rpt"]
    assert "it replaces power.rpt, second.rpt" in imported("newer.rpt", written.flat(version="2024.1"))
