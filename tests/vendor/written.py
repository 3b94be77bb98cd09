"""Reports in the formats of vendor tools, written by us from public descriptions of them; no tool wrote any of this.

Only the standard library is used: the fake tools write their reports with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PART = "xc7z020clg400-1"


@dataclass(frozen=True)
class Module:
    """A module of a design: counts with block RAM as RAMB36 and RAMB18, and its latency."""

    name: str
    lut: int = 0
    ff: int = 0
    dsp: int = 0
    ramb36: int = 0
    ramb18: int = 0
    uram: int = 0
    latency: int | str = 1
    interval: int | str = 1
    parts: tuple[Module, ...] = field(default=())

    @property
    def bram_18k(self):
        return 2 * self.ramb36 + self.ramb18

    def below(self):
        """Return the modules inside, each before its own."""
        return [each for part in self.parts for each in (part, *part.below())]


NET = Module(
    "net",
    lut=130,
    ff=70,
    dsp=3,
    ramb36=1,
    ramb18=1,
    latency=4,
    parts=(Module("layer_act1", 80, 40, 3, 1, 0, latency=2), Module("layer_fc2", 45, 20, 0, 0, 1, latency=1)),
)


def xml(top=NET, version="2023.2", *, part="xc7z020-clg400-1", clock="10.00", estimated="7.331"):
    """Return csynth.xml: indented and with modules from 2020.2 on, DSP48E before."""
    old = version < "2020.2"
    dsp = "DSP48E" if old else "DSP"
    resources = f"""<BRAM_18K>{top.bram_18k}</BRAM_18K><{dsp}>{top.dsp}</{dsp}><FF>{top.ff}</FF><LUT>{top.lut}</LUT>
      <URAM>{top.uram}</URAM>"""
    flow = "" if old else "<FlowTarget>vivado</FlowTarget>"
    return f"""{"" if old else '<?xml version="1.0" encoding="UTF-8"?>'}
<profile>
  <ReportVersion><Version>{version}</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>{part}</Part>
    <TopModelName>{top.name}</TopModelName><TargetClockPeriod>{clock}</TargetClockPeriod>
    <ClockUncertainty>2.70</ClockUncertainty>{flow}
  </UserAssignments>
  <PerformanceEstimates>
    <PipelineType>yes</PipelineType>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>{estimated}</EstimatedClockPeriod>
    </SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <unit>clock cycles</unit>
      {_xml_latency(top)}
      <Interval-min>{top.interval}</Interval-min><Interval-max>{top.interval}</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources>{resources}</Resources>
    <AvailableResources><BRAM_18K>280</BRAM_18K><{dsp}>220</{dsp}><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM>
    </AvailableResources>
  </AreaEstimates>
  {"" if old else _xml_modules(top)}
</profile>
"""


def _xml_latency(module):
    return f"""<Best-caseLatency>{module.latency}</Best-caseLatency>
      <Average-caseLatency>{module.latency}</Average-caseLatency>
      <Worst-caseLatency>{module.latency}</Worst-caseLatency>
      <Worst-caseRealTimeLatency>0.126 ms</Worst-caseRealTimeLatency>"""


def _xml_modules(top):
    modules = {each.name: each for each in (*top.below(), top)}
    return f"""<RTLDesignHierarchy><TopModule MAX_DEPTH="3"><ModuleName>{top.name}</ModuleName>
    {_xml_instances(top)}</TopModule></RTLDesignHierarchy>
  <ModuleInformation>{"".join(map(_xml_module, modules.values()))}</ModuleInformation>"""


def _xml_instances(module):
    inside = "".join(
        f"<Instance><InstName>grp_{part.name}_fu_{number}</InstName><ModuleName>{part.name}</ModuleName>"
        f"<IsCompInst>true</IsCompInst><ID>{number}</ID>{_xml_instances(part)}"
        f"<BindInstances>add_ln3_fu_1_p2</BindInstances></Instance>"
        for number, part in enumerate(module.parts)
    )
    return f"<InstancesList>{inside}</InstancesList>" if inside else ""


def _xml_module(module):
    return f"""<Module><Name>{module.name}</Name>
    <PerformanceEstimates><SummaryOfOverallLatency>{_xml_latency(module)}
      <PipelineInitiationInterval>{module.interval}</PipelineInitiationInterval></SummaryOfOverallLatency>
    </PerformanceEstimates>
    <AreaEstimates><Resources>
      <DSP>{module.dsp}</DSP><AVAIL_DSP>220</AVAIL_DSP><UTIL_DSP>~0</UTIL_DSP>
      <FF>{module.ff}</FF><UTIL_FF>~0</UTIL_FF><LUT>{module.lut}</LUT><UTIL_LUT>~0</UTIL_LUT>
      <BRAM_18K>{module.bram_18k}</BRAM_18K><URAM>{module.uram}</URAM>
    </Resources></AreaEstimates></Module>"""


def _title(text, mark="=" * 64):
    return f"{mark}\n== {text}\n{mark}\n"


def _table(head, rows, indent=""):
    """Return a table of bars and dashes; ``head`` may have several lines, and may itself be of other widths."""
    widths = [max(len(str(row[column])) for row in (*head, *rows)) for column in range(len(head[-1]))]
    rule = indent + "+" + "+".join("-" * width for width in widths) + "+"
    lines = [[f"{cell!s:>{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows]
    heads = [[f"{cell!s:^{width}}" for cell, width in zip(row, widths, strict=True)] for row in head]
    bars = [indent + "|" + "|".join(line) + "|" for line in (*heads, *lines)]
    return "\n".join([rule, *bars[: len(head)], rule, *bars[len(head) :], rule])


def module_rpt(top=NET, version="2023.2", *, part="xc7z020-clg400-1", solution="solution1", absolute="4.000 us"):
    """Return <top>_csynth.rpt: no times and DSP48E before 2020.2, units in the cells since."""
    old = version < "2020.2"
    dsp = "DSP48E" if old else "DSP"
    without_unit = version < "2019.2"
    clock = ("10.00", "7.331") if without_unit else ("10.00 ns", "7.331 ns")
    times = () if without_unit else (absolute, absolute)
    spans = ["min", "max"] * (2 if without_unit else 3)
    spanning = ["", "Latency", *["(absolute)"] * (0 if without_unit else 2), "Interval"][: len(spans)]
    widened = [*spanning, *[""] * (len(spans) - len(spanning)), "Pipeline"]
    instances = [
        (
            f"grp_{each.name}_fu_{number}",
            each.name,
            each.latency,
            each.latency,
            *times,
            each.interval,
            each.interval,
            "no",
        )
        for number, each in enumerate(top.parts)
    ]
    used = [
        (f"grp_{each.name}_fu_{number}", each.name, each.bram_18k, each.dsp, each.ff, each.lut, each.uram)
        for number, each in enumerate(top.parts)
    ]
    name = ("Name", "BRAM_18K", dsp, "FF", "LUT", "URAM")
    return f"""

{_title(f"{'Vivado' if old else 'Vitis'} HLS Report for '{top.name}'")}* Date:           Mon Jan  1 00:00:00 2024

* Version:        {version} (Build 1234567 on Oct 13 00:00:00 MDT 2023)
* Project:        {top.name}_hls
* Solution:       {solution} (Vivado IP Flow Target)
* Product family: zynq
* Target device:  {part}


{_title("Performance Estimates")}+ Timing{" (ns)" if without_unit else ""}:
    * Summary:
{_table([("Clock", "Target", "Estimated", "Uncertainty")], [("ap_clk", *clock, "2.70")], "    ")}

+ Latency:
    * Summary:
{_table([widened, [*spans, "Type"]], [(top.latency, top.latency, *times, top.interval, top.interval, "yes")], "    ")}

    + Detail:
        * Instance:
{_table([["", "", *widened], ["Instance", "Module", *spans, "Type"]], instances, "        ")}

        * Loop:
        N/A



{_title("Utilization Estimates")}* Summary:
{
        _table(
            [name],
            [
                ("DSP", "-", "-", "-", "-", "-"),
                ("Expression", "-", "-", 0, 5, "-"),
                ("Total", top.bram_18k, top.dsp, top.ff, top.lut, top.uram),
                ("Available", 280, 220, 106400, 53200, 0),
                ("Utilization (%)", 1, "~0", "~0", "~0", 0),
            ],
        )
    }

+ Detail:
    * Instance:
{_table([("Instance", "Module", *name[1:])], [*used, ("Total", "", 0, 0, 0, 0, 0)], "    ")}

    * Memory:
    N/A
"""


def summary_rpt(top=NET, version="2023.2", *, part="xc7z020-clg400-1", solution="solution1"):
    """Return csynth.rpt: shares in brackets, ``-`` for none and for unknown, modules below one another."""
    head = [
        ("Modules", "Issue", "", "Latency", "Latency", "Iteration", "", "Trip", "", "", "", "", "", ""),
        (
            "& Loops",
            "Type",
            "Slack",
            "(cycles)",
            "(ns)",
            "Latency",
            "Interval",
            "Count",
            "Pipelined",
            "BRAM",
            "DSP",
            "FF",
            "LUT",
            "URAM",
        ),
    ]

    def share(count):
        return f"{count} (~0%)" if count else "-"

    def rows(module, depth):
        name = f"{' ' * depth}+ {module.name}{'*' if module.parts else ''}"
        counts = map(share, (module.bram_18k, module.dsp, module.ff, module.lut, module.uram))
        yield (name, "-", "0.00", module.latency, "1.260e+05", "-", module.interval, "-", "yes", *counts)
        yield (f"{' ' * depth} o VITIS_LOOP_5_1", "-", "7.30", 8, "80.000", 2, 1, 4, "yes", "-", "-", "-", "-", "-")
        for part_ in module.parts:
            yield from rows(part_, depth + 2)

    body = list(rows(top, 0))
    width = max(len(row[0]) for row in body)
    body = [(f"{row[0]:<{width}}", *row[1:]) for row in body]
    return f"""{_title(f"Synthesis Summary Report of '{top.name}'")}+ General Information:
    * Date:           Mon Jan  1 00:00:00 2024
    * Version:        {version} (Build 1234567 on Oct 13 2023)
    * Project:        {top.name}_hls
    * Solution:       {solution} (Vivado IP Flow Target)
    * Product family: zynq
    * Target device:  {part}


+ Performance & Resource Estimates:

    PS: '+' for module; 'o' for loop; '*' for dataflow
{_table(head, body, "    ")}


{_title("HW Interfaces")}* TOP LEVEL CONTROL
{_table([("Interface", "Type", "Ports")], [("ap_clk", "clock", "ap_clk")])}
"""


def _head(command, top, device, state, version, speed=""):
    """Return the head of a report of Vivado; the state of the design is left out where it is empty."""
    lines = [
        ("Tool Version", f"Vivado v.{version} (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023"),
        ("Date", "Mon Jan  1 00:00:00 2024"),
        ("Host", "host running 64-bit Linux"),
        ("Command", command),
        ("Design", top),
        ("Device", device),
        *([("Speed File", speed)] if speed else []),
        *([("Design State", state)] if state else []),
    ]
    rule = "-" * 100
    pairs = "\n".join(f"| {key:<17} : {value}" for key, value in lines)
    return f"Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.\n{rule}\n{pairs}\n{rule}\n"


def flat(
    top=NET, version="2023.2", *, device=PART, state="Routed", clb=False, command="report_utilization -file u.rpt"
):
    """Return report_utilization; ``Prohibited`` is a column from 2021.1 on; UltraScale and later have CLBs."""
    columns = ("Site Type", "Used", "Fixed", *(("Prohibited",) if version >= "2021" else ()), "Available", "Util%")
    gap = ("0",) * (len(columns) - 4)

    def rows(*pairs):
        return [(f" {name:<28}", used, *gap, 1000, "<0.01") for name, used in pairs]

    logic = "CLB" if clb else "Slice"
    tiles = top.bram_18k / 2
    star = "*" if state == "Synthesized" else ""
    ultra = [("URAM", top.uram)] if clb else []
    dsp = "DSP48E2" if clb else "DSP48E1"
    return f"""{_head(command, top.name, device, state, version, "-1")}
Utilization Design Information

1. {logic} Logic
------------
{_table([columns], rows((f"{logic} LUTs{star}", top.lut), ("  LUT as Logic", top.lut), (f"{logic} Registers", top.ff)))}

2. BLOCKRAM
-----------
{
        _table(
            [columns],
            rows(("Block RAM Tile", f"{tiles:g}"), ("  RAMB36/FIFO*", top.ramb36), ("  RAMB18", top.ramb18), *ultra),
        )
    }

3. ARITHMETIC
-------------
{_table([columns], rows(("DSPs", top.dsp), (f"  {dsp} only", top.dsp)))}

8. Primitives
-------------
{
        _table(
            [("Ref Name", "Used", "Functional Category")],
            [("FDRE", top.ff, "Flop & Latch"), ("CARRY8" if clb else "CARRY4", 17, "CarryLogic")],
        )
    }

13. SLR CLB Logic and Dedicated Block Utilization
-------------------------------------------------
{_table([("Site Type", "SLR0", "SLR0 %")], [(f"{logic} LUTs", 0, "0.00"), ("DSPs", 0, "0.00")])}
"""


def versal(top=NET, version="2024.2", *, device="xcvc1902-vsva2197-2MP-e-S", state="Routed"):
    """Return report_utilization of a Versal device: registers before LUTs, E5 memories, three kinds of DSP."""
    columns = ("Site Type", "Used", "Fixed", "Prohibited", "Available", "Util%")

    def rows(*pairs):
        return [
            (f" {name:<28}", used, 0, *((0, 1000, "<0.01") if bold else ("", "", ""))) for name, used, bold in pairs
        ]

    logic = rows(("Registers", top.ff, True), ("  Register as Flip Flop", top.ff, False), ("CLB LUTs", top.lut, True))
    spread = rows(("SLICE", 40, True), ("  SLICEL", 30, False), ("CLB LUTs", 9, True), ("CLB Registers", 9, True))
    memory = rows(
        ("Block RAM Tile", f"{top.bram_18k / 2:g}", True),
        ("  RAMB36E5", top.ramb36, True),
        ("  RAMB18E5*", top.ramb18, True),
        ("URAM", top.uram, True),
    )
    arithmetic = rows(
        ("DSP Slices", top.dsp, True), ("  DSP58", top.dsp, False), ("  DSPFP32", 0, False), ("  DSPCPLX", 0, False)
    )
    primitives = [("FDRE", top.ff, "Register"), ("LUT6CY", 40, "CLB"), ("LOOKAHEAD8", 5, "CLB")]
    return f"""{_head("report_utilization -file u.rpt", top.name, device, state, version, "-2MP")}
Utilization Design Information

1. Netlist Logic
----------------
{_table([columns], logic)}

2. CLB Distribution
-------------------
{_table([columns], spread)}

3. BLOCKRAM
-----------
{_table([columns], memory)}

4. ARITHMETIC
-------------
{_table([columns], arithmetic)}

9. Primitives
-------------
{_table([("Ref Name", "Used", "Functional Category")], primitives)}
"""


def hierarchy(
    top=NET, version="2023.2", *, device=PART, state="Routed", uram=True, command="report_utilization", dsp="DSP Blocks"
):
    """Return report_utilization -hierarchical: modules have the top's name before; own logic stands in brackets."""
    columns = ("Instance", "Module", "Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18")
    columns = (*columns, *(("URAM",) if uram else ()), dsp if uram else "DSP48 Blocks")

    def cells(module):
        ultra = (module.uram,) if uram else ()
        return (module.lut, module.lut, 0, 0, module.ff, module.ramb36, module.ramb18, *ultra, module.dsp)

    def rows(module, depth):
        name = module.name if depth == 0 else f"grp_{module.name}_fu_{depth}"
        kind = "(top)" if depth == 0 else f"{top.name}_{module.name}"
        yield (f" {'  ' * depth}{name}", f" {kind} ", *cells(module))
        if module.parts:
            yield (f" {'  ' * (depth + 1)}({name})", f" {kind} ", *cells(Module("", 5)))
        for part in module.parts:
            yield from rows(part, depth + 1)

    body = list(rows(top, 0))
    width = max(len(row[0]) for row in body)
    body = [(f"{row[0]:<{width}}", *row[1:]) for row in body]
    return f"""{_head(command + " -hierarchical", top.name, device, state, version)}
Utilization Design Information

Table of Contents
-----------------
1. Utilization by Hierarchy

1. Utilization by Hierarchy
---------------------------

{_table([columns], body)}
* Note: The sum of lower-level cells may be larger than their parent cells total, due to cross-hierarchy LUT combining
"""


def timing(
    top="net",
    version="2023.2",
    *,
    device="xc7z020-clg400",
    state="Routed",
    wns="1.250",
    whs="0.057",
    period="10.000",
    clock="ap_clk",
    net="routed",
    command="report_timing_summary -file t.rpt",
):
    """Return report_timing_summary; without the state of the design before 2022."""
    names = "".join(
        f"{worst:>11}{total + '(ns)':>13}  {total} Failing Endpoints  {total} Total Endpoints"
        for worst, total in (("WNS(ns)", "TNS"), ("WHS(ns)", "THS"), ("WPWS(ns)", "TPWS"))
    )
    dashes = "    -------      -------  ---------------------  -------------------" * 3
    line = "-" * 96
    state = state if version >= "2022" else ""
    return f"""{_head(command, top, device, state, version, "-1  PRODUCTION 1.12 2019-11-22")}
Timing Summary Report

{line}
| Design Timing Summary
| ---------------------
{line}

{names}
{dashes}
      {wns}        0.000                      0                 1696        {whs}        0.000                      0 \
                1696        4.500        0.000                       0                  1077


All user specified timing constraints are met.


{line}
| Clock Summary
| -------------
{line}

Clock   Waveform(ns)         Period(ns)      Frequency(MHz)
-----   ------------         ----------      --------------
{clock}  {{0.000 5.000}}        {period}           100.000


{line}
| Intra Clock Table
| -----------------
{line}

Clock             WNS(ns)      TNS(ns)

                         net (fo=10, {net})         0.037     0.037    inst/clk
"""


def power(
    top="net", version="2023.2", *, device=PART, state="Routed", total="0.142", dynamic="0.037", command="report_power"
):
    """Return report_power."""
    return f"""{_head(command, top, device, state.lower(), version)}
Power Report

Table of Contents
-----------------
1. Summary

1. Summary
----------

+--------------------------+--------------+
| Total On-Chip Power (W)  | {total:<12} |
| Design Power Budget (W)  | Unspecified* |
| Power Budget Margin (W)  | NA           |
| Dynamic (W)              | {dynamic:<12} |
| Device Static (W)        | 0.105        |
| Junction Temperature (C) | 26.6         |
| Confidence Level         | Low          |
+--------------------------+--------------+


1.1 On-Chip Components
----------------------

+--------------+-----------+----------+-----------+-----------------+
| On-Chip      | Power (W) | Used     | Available | Utilization (%) |
+--------------+-----------+----------+-----------+-----------------+
| Clocks       |    <0.001 |        3 |       --- |             --- |
+--------------+-----------+----------+-----------+-----------------+
"""


def _export_counts(top, *, all_names):
    """Return the lines of counts in the text of an export, block RAM in halves."""
    counts = [("LUT", top.lut), ("FF", top.ff), ("DSP", top.dsp), ("BRAM", top.bram_18k)]
    counts += [("URAM", top.uram), ("LATCH", 0), ("SRL", 3), ("CLB", 0)] if all_names else [("SRL", 3)]
    return "\n".join(f"{name + ':':<10} {count:>8}" for name, count in counts)


def export_brief(
    top=NET,
    version="2023.2",
    *,
    part="xc7z020-clg400-1",
    routed=True,
    project=None,
    solution="solution1",
    period="10.000",
    achieved="6.125",
):
    """Return <top>_export.rpt of an export with synthesis, or with place and route as well; shorter before 2021."""
    old = version < "2021"
    gap = "" if old else "\n"
    lines = [f"CP required:                     {period}", "CP achieved post-synthesis:      4.321"]
    lines += [f"CP achieved post-implementation: {achieved}"] if routed else []
    last = lines[-1].split()[-1]
    verdict = "No Sequential Path" if last == "NA" else f"Timing {'' if float(last) <= float(period) else 'not '}met"
    return f"""

Implementation tool: Xilinx Vivado v.{version}
Project:             {project or f"{top.name}_hls"}
Solution:            {solution}
Device target:       {part}
{"" if old else "Report date:         Mon Jan 01 00:00:00 UTC 2024"}

#=== Post-{"Implementation" if routed else "Synthesis"} Resource usage ===
SLICE:           40
{_export_counts(top, all_names=not old)}
{gap}#=== Final timing ===
{chr(10).join(lines)}
{verdict}
"""


def export_results(
    top=NET,
    version="2025.1",
    *,
    part="xc7z020-clg400-1",
    routed=True,
    project=None,
    solution="hls",
    period="10.000",
    achieved="6.125",
):
    """Return export_syn.rpt, or export_impl.rpt of an export with place and route."""
    step = "Place & Route" if routed else "Synthesis"
    rows = [(" Target ", f" {period} "), (" Post-Synthesis ", " 4.321 ")]
    rows += [(" Post-Route ", f" {achieved} ")] if routed else []
    met = "was" if float(achieved if routed else "4.321") <= float(period) else "was not"
    return f"""{_title(f"Vivado {step} Results")}+ General Information:
    * Date:            Mon Jan 01 00:00:00 UTC 2024
    * Version:         {version} (Build 1234567 on May 19 2025)
    * Project:         {project or f"{top.name}_hls"}
    * Solution:        {solution} (Vivado IP Flow Target)
    * Product family:  zynq
    * Target device:   {part}


{_title(f"{step} Resource Summary")}{_export_counts(top, all_names=False)}
{f"URAM:      {top.uram:>8}"}


{_title(f"{step} Timing Summary")}* Timing {met} met
{_table([(" Timing ", " Period (ns) ")], rows)}
"""


def export_xml(
    top=NET,
    version="2024.2",
    *,
    part="xc7z020-clg400-1",
    routed=True,
    solution="hls",
    period="10.000",
    achieved="6.125",
    modules=True,
):
    """Return export_syn.xml or export_impl.xml: zeros of modules are left out, cells are named by their paths."""
    stage = "impl" if routed else "synth"
    final = achieved if routed and achieved != "NA" else "4.321"
    bound = str(float(final) <= float(period)).upper()
    counts = [("BRAM", top.bram_18k), ("DSP", top.dsp), ("FF", top.ff), ("LUT", top.lut), ("URAM", top.uram)]

    def cells(module, path, depth):
        amounts = [("BRAM", module.bram_18k), ("DSP", module.dsp), ("FF", module.ff), ("LUT", module.lut)]
        said = " ".join(f'{name}="{amount}"' for name, amount in amounts if amount)
        yield (
            f'  <RtlModule CELL="{path}" DEPTH="{depth}" ORIG_REF_NAME="{module.name}"><Resources {said}/></RtlModule>'
        )
        for number, part_ in enumerate(module.parts):
            yield from cells(part_, f"{path}/grp_{part_.name}_fu_{number}", depth + 1)

    tree = "\n".join(sorted(cells(top, "inst", 0))) if modules else ""
    return f"""<profile>
<RunData>
  <RUN_TYPE>{stage}</RUN_TYPE>
  <VIVADO_VERSION>v.{version}</VIVADO_VERSION>
</RunData>
<TimingReport>
  <TargetClockPeriod>{period}</TargetClockPeriod>
  <AchievedClockPeriod>{final}</AchievedClockPeriod>
  <CP_ROUTE>{achieved if routed else "NA"}</CP_ROUTE>
  <CP_SYNTH>4.321</CP_SYNTH>
  <TIMING_MET>{bound}</TIMING_MET>
</TimingReport>
<AreaReport>
  <Resources>
    {"".join(f"<{name}>{amount}</{name}>" for name, amount in counts)}
  </Resources>
  <AvailableResources><BRAM>280</BRAM><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT></AvailableResources>
</AreaReport>
<GeneralInfo NAME="General Information">
  <item NAME="Project" VALUE="{top.name}_hls"/>
  <item NAME="Solution" VALUE="{solution} (Vivado IP Flow Target)"/>
  <item NAME="Target device" VALUE="{part}"/>
</GeneralInfo>
<RtlModules>
{tree}
</RtlModules>
</profile>
"""
