"""Reports in every version's format: what is read, in which units, and what is refused."""

from __future__ import annotations

import re

import pytest

from fpgaprune.errors import InputError
from fpgaprune.resources import Kind
from fpgaprune.vendor import numbers, parse
from fpgaprune.vendor.values import Counts, Cycles, Instance, Power, Timing
from tests.vendor import written
from tests.vendor.written import Module

COUNTS = Counts(lut=130, ff=70, dsp=3, bram_18k=3, uram=0)
ACT1 = Counts(80, 40, 3, 2, 0)
FC2 = Counts(45, 20, 0, 1, 0)
VERSIONS = ("2020.1", "2021.2", "2023.2", "2024.2", "2025.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_csynth_xml(version):
    report = parse(written.xml(version=version))
    assert (report.kind, report.top, report.part) == (Kind.CSYNTH, "net", "xc7z020-clg400-1")
    assert report.tool == f"{'Vivado' if version == '2020.1' else 'Vitis'} HLS {version}"
    assert report.counts == COUNTS
    assert report.timing == Timing(10.0, 7.331, met=True)
    assert report.cycles == Cycles(4, 4, 1, 1)
    inside = () if version == "2020.1" else (Instance("layer_act1", ACT1, 2), Instance("layer_fc2", FC2, 1))
    assert report.instances == inside


@pytest.mark.parametrize("version", ["2019.1", *VERSIONS])
def test_the_text_of_a_module(version):
    report = parse(written.module_rpt(version=version))
    assert report.tool == f"{'Vivado' if version < '2020.2' else 'Vitis'} HLS {version}"
    assert (report.counts, report.timing, report.cycles) == (COUNTS, Timing(10.0, 7.331, met=True), Cycles(4, 4, 1, 1))
    assert report.instances == (Instance("layer_act1", ACT1, 2), Instance("layer_fc2", FC2, 1))


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_summary_of_all_modules(version):
    inner = Module("layer_h", 7, 3, latency=3)
    top = Module("net", 130, 70, 3, 1, 1, latency=9, interval=5, parts=(Module("process_scan", 90, parts=(inner,)),))
    report = parse(written.summary_rpt(top, version))
    assert (report.counts, report.timing) == (COUNTS, None)
    assert report.cycles == Cycles(None, 9, None, 5)
    assert report.instances == (
        Instance("process_scan", Counts(90, 0, 0, 0, 0), 1, (Instance("layer_h", Counts(7, 3, 0, 0, 0), 3),)),
    )


@pytest.mark.parametrize("unknown", ["undef", "?", "-"])
@pytest.mark.parametrize("write", [written.xml, written.module_rpt, written.summary_rpt])
def test_a_latency_that_the_tool_cannot_tell_is_none(write, unknown):
    cycles = parse(write(Module("net", 1, 1, latency=unknown, interval=unknown))).cycles
    assert cycles == Cycles(None, None, None, None)


@pytest.mark.parametrize("version", ["2020.2", "2021.2", "2023.2", "2025.1"])
@pytest.mark.parametrize("clb", [False, True])
def test_flat_utilisation_counts_tiles_in_halves(version, clb):
    report = parse(written.flat(version=version, clb=clb))
    assert (report.kind, report.tool, report.top) == (Kind.POST_ROUTE, f"Vivado {version}", "net")
    assert report.counts == COUNTS  # 1.5 tiles of 36 kbit are 3 of 18
    assert report.carry == 17
    assert parse(written.flat(Module("net", 5, uram=4), version=version, clb=True)).counts.uram == 4


def test_the_states_of_a_design_are_kinds():
    assert parse(written.flat(state="Synthesized")).kind is Kind.POST_SYNTHESIS
    for state in ("Routed", "Fully Routed", "Physopt postRoute"):
        assert parse(written.flat(state=state)).kind is Kind.POST_ROUTE
    for state in ("Fully Placed", "Physopt", "Optimized", ""):
        with pytest.raises(InputError, match="between synthesis and route"):
            parse(written.flat(state=state))


@pytest.mark.parametrize("uram", [False, True])
def test_utilisation_by_hierarchy(uram):
    inner = Module("layer_h", 7, 3, dsp=1)
    top = Module(
        "net", 130, 70, 3, 1, 1, parts=(Module("process_scan", 90, dsp=2, parts=(inner,)), Module("layer_o", 4))
    )
    report = parse(written.hierarchy(top, uram=uram))
    assert report.counts == COUNTS
    scan = Instance("net_process_scan", Counts(90, 0, 2, 0, 0), parts=(Instance("net_layer_h", Counts(7, 3, 1, 0, 0)),))
    assert report.instances == (scan, Instance("net_layer_o", Counts(4, 0, 0, 0, 0)))


def test_timing_is_the_period_less_the_worst_slack():
    report = parse(written.timing())
    assert (report.kind, report.part, report.timing) == (
        Kind.POST_ROUTE,
        "xc7z020-clg400-1",
        Timing(10.0, 8.75, met=True),
    )
    assert parse(written.timing(wns="-0.452")).timing == Timing(10.0, 10.452, met=False)
    assert parse(written.timing(whs="-0.010")).timing == Timing(10.0, 8.75, met=False)


@pytest.mark.parametrize(("net", "kind"), [("unplaced", Kind.POST_SYNTHESIS), ("routed", Kind.POST_ROUTE)])
def test_old_timing_summaries_show_their_stage_by_the_nets(net, kind):
    assert parse(written.timing(version="2021.2", net=net)).kind is kind
    with pytest.raises(InputError, match="between synthesis and route"):
        parse(written.timing(version="2021.2", net="estimated"))


def test_power_in_watts():
    assert parse(written.power()).power == Power(0.142, 0.037, 0.105)
    said = written.power(total="9.1 (Junction temp exceeded!)", dynamic="<0.001")
    assert parse(said).power == Power(9.1, 0.001, 0.105)


def test_versal_counts_slices_registers_and_e5_memories():
    report = parse(written.versal())
    assert (report.kind, report.part, report.counts, report.carry) == (
        Kind.POST_ROUTE,
        "xcvc1902-vsva2197-2MP-e-S",
        COUNTS,
        5,
    )
    without_tiles = written.versal(Module("net", 5, 6, 7, 2, 1, uram=4)).replace("Block RAM Tile", "Tiles         ")
    assert parse(without_tiles).counts == Counts(5, 6, 7, 5, 4)
    assert parse(written.hierarchy(dsp="DSP Slices")).counts == COUNTS
    timing = parse(written.timing(device="xcvc1902-vsva2197").replace("-1  PRODUCTION", "-2MP  PRODUCTION"))
    assert timing.part == "xcvc1902-vsva2197-2MP"


EXPORTS = (written.export_brief, written.export_results, written.export_xml)


@pytest.mark.parametrize("version", ["2020.2", "2022.1", "2023.2", "2024.2", "2025.1"])
@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize("write", EXPORTS)
def test_exports_of_hls_tell_their_stage(write, routed, version):
    report = parse(write(version=version, routed=routed))
    assert report.kind is (Kind.POST_ROUTE if routed else Kind.POST_SYNTHESIS)
    assert (report.tool, report.top) == (f"Vivado {version} (HLS export)", "net")
    assert report.part == "xc7z020-clg400-1"
    assert report.counts == COUNTS
    assert report.timing == Timing(10.0, 6.125 if routed else 4.321, met=True)


@pytest.mark.parametrize("write", EXPORTS)
def test_exports_that_miss_their_timing_say_so(write):
    assert parse(write(achieved="10.452")).timing == Timing(10.0, 10.452, met=False)
    assert parse(write(solution="fpgaprune_0123abcd")).tag == "0123abcd"


@pytest.mark.parametrize("write", [written.export_brief, written.export_xml])
def test_an_export_without_a_path_between_registers_has_no_timing(write):
    assert parse(write(achieved="NA")).timing is None


def test_the_xml_of_an_export_has_modules_by_the_paths_of_their_cells():
    inner = Module("layer_h", 7, 3)
    top = Module("net", 130, 70, 3, 1, 1, parts=(Module("process_scan", 90, dsp=2, parts=(inner,)), Module("o", 4)))
    report = parse(written.export_xml(top))
    scan = Instance("process_scan", Counts(90, 0, 2, 0, 0), parts=(Instance("layer_h", Counts(7, 3, 0, 0, 0)),))
    assert report.instances == (Instance("o", Counts(4, 0, 0, 0, 0)), scan)
    assert parse(written.export_xml(modules=False)).instances == ()


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("", "is empty"),
        (" \n\t\n", "is empty"),
        ("a text about something else", "no report that can be read"),
        ("\x00\x01\x02" * 100, "no report that can be read"),
        (written.xml()[:900], "is it cut off"),
        (written.xml().replace("<LUT>130</LUT>", ""), "has no LUT"),
        (written.xml().replace("<LUT>130</LUT>", "<LUT>NaN</LUT>"), "'NaN' is not a finite number"),
        (written.xml().replace("<LUT>130</LUT>", "<LUT>-5</LUT>"), "'-5' is not a whole number"),
        (written.xml().replace("<LUT>130</LUT>", "<LUT>1.5</LUT>"), "'1.5' is not a whole number"),
        (written.xml().replace("<LUT>130</LUT>", "<LUT>many</LUT>"), "'many' is not a number"),
        (written.xml(clock="nan"), "'nan' is not a finite number"),
        (written.xml(clock="0"), "'0' is not a time"),
        (written.xml(version="next"), "does not say the version"),
        (written.xml().replace("<profile>", "<!DOCTYPE x [<!ENTITY a 'b'>]><profile>"), "declares entities"),
        (written.module_rpt().partition("Utilization Estimates")[0], "no table of utilisation"),
        (written.module_rpt().partition("Available")[0], "is the report cut off"),
        (written.module_rpt().replace("Total", "Sum"), "no row 'Total'"),
        (written.module_rpt().partition("+ Latency")[0], "no table of latency"),
        (written.module_rpt().replace("10.00 ns", "10.00 MHz"), "'10.00 MHz' is not"),
        (written.summary_rpt().partition("|+ net")[0], "no row"),
        (re.sub(r"(\|\+ net.*?\|).*", r"\1", written.summary_rpt()), "is the report cut off"),
        (written.export_brief().replace("DSP: ", "GGG: "), "no count of DSP: is the report cut off"),
        (written.export_brief().partition("#=== Final")[0], "no period 'CP required': is the report cut off"),
        (written.export_brief().replace("v.2023.2", "v."), "does not say the version"),
        (written.export_brief().replace("     130", "    many"), "'many' is not a number"),
        (written.export_results().partition("BRAM:")[0], "no table of timing"),
        (written.export_results().replace("FF: ", "GG: "), "no count of FF"),
        (written.export_results().replace("Post-Route", "Post-Place"), "no period 'Post-Route'"),
        (written.export_xml().replace("<LUT>130</LUT>", ""), "no count of LUT"),
        (written.export_xml().partition("<RtlModules>")[0], "is it cut off"),
        (written.export_xml().replace("RUN_TYPE", "RUN"), "does not say the tool, .*<top>_export.rpt beside it does"),
        (written.flat().partition("3. ARITHMETIC")[0], "no row DSPs or DSP Slices"),
        (written.flat().replace("Block RAM Tile", "Tiles").replace("RAMB36", "RAM"), "no row Block RAM Tile"),
        (written.flat().replace("1.5", "1.25"), "'      1.25' is not|'1.25' is not"),
        (written.flat().replace("| Design ", "| Sign "), "does not name the design"),
        (written.hierarchy().partition("| Instance")[0].partition("|  Instance")[0][:900], "no table of instances"),
        (written.timing(wns="NA"), "no path in it is constrained"),
        (written.timing(wns="inf"), "no path in it is constrained"),
        (written.timing(wns="nan"), "'nan' is not a finite number"),
        (written.timing().partition("| Clock Summary")[0], "must have a clock ap_clk, not none"),
        (written.timing().partition("    WNS(ns)")[0], "no Design Timing Summary"),
        (written.power().partition("| Dynamic")[0], "no row Dynamic"),
        (written.power(total="nan"), "'nan' is not a finite number"),
        (written.power(dynamic="-1"), "power must be 0 or more"),
    ],
)
def test_what_is_no_complete_report_is_refused(report, message):
    with pytest.raises(InputError, match=message):
        parse(report)


def test_a_report_without_a_command_still_names_its_design():
    assert parse(written.flat(command="")).top == "net"


def test_line_ends_of_other_systems_change_nothing():
    for report in (
        written.xml(),
        written.module_rpt(),
        written.flat(),
        written.hierarchy(),
        written.timing(),
        written.power(),
        *(write() for write in EXPORTS),
    ):
        assert parse(report.replace("\n", "\r\n")) == parse(report)


@pytest.mark.parametrize(
    ("cell", "ns"), [("5", 5), ("4.00 ns", 4), ("1.350 us", 1350), ("29.507 ms", 29_507_000), ("2 s", 2e9)]
)
def test_times_come_in_any_unit(cell, ns):
    assert numbers.nanoseconds(cell) == pytest.approx(ns, rel=1e-12)


def test_counts_come_with_shares_and_marks():
    assert [numbers.count(cell) for cell in ("-", "39 (17%)", "8 (~0%)", "1,234", " 7 ")] == [0, 39, 8, 1234, 7]
    assert [numbers.halves(cell) for cell in ("30.5", "0.5", "2")] == [61, 1, 4]
    assert [numbers.cycles(cell) for cell in ("?", "undef", "-", "N/A", "12")] == [None, None, None, None, 12]
