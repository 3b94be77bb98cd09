"""Random networks: the generated C++ computes what evaluate computes. Many networks share one compilation."""

from __future__ import annotations

import json
import subprocess

import pytest

from fpgaprune import tools
from fpgaprune.schedule import Access, Interface, multiply
from fpgaprune.schedule.adders import adders_planner
from tests.graphs import random_graph, random_inputs, random_network_graph
from tests.nets import folded, mixed, project

DRIVER = """
#include <cstdlib>
#include <fstream>
#include <iostream>
{includes}
#include "{first}/tb/words.h"

template <class Word> void take(std::istream &in, Word *words, int size) {{
  std::string text;
  for (int i = 0; i < size; ++i) {{ in >> text; fpgaprune::parse(text, words[i]); }}
}}
template <class Word> int differ(std::istream &in, const Word *words, int size) {{
  std::string text;
  int wrong = 0;
  for (int i = 0; i < size; ++i) {{ in >> text; wrong += text != fpgaprune::decimal(words[i]); }}
  return wrong;
}}
#ifdef FPGAPRUNE_BEATS_H
template <class Beat> void take(std::istream &in, hls::stream<Beat> &stream, int beats) {{
  Beat beat;
  for (; beats > 0; --beats) {{ take(in, beat.word, sizeof(beat.word) / sizeof(beat.word[0])); stream.write(beat); }}
}}
template <class Beat> int differ(std::istream &in, hls::stream<Beat> &stream, int beats) {{
  int wrong = 0;
  for (; beats > 0; --beats) {{
    const Beat beat = stream.read();
    wrong += differ(in, beat.word, sizeof(beat.word) / sizeof(beat.word[0]));
  }}
  return wrong + int(!stream.empty());
}}
#endif
int main() {{
{checks}
}}
"""

CHECK = """
  {{
    std::ifstream in("{folder}/tb/input.dat"), want("{folder}/tb/expected.dat");
    int wrong = 0;
    for (int s = 0; s < {samples}; ++s) {{
      {declare}
      {take}
      {name}({call});
      {compare}
    }}
    std::cout << "{name} " << wrong << "\\n";
  }}
"""


def check_text(folder, name, samples):
    """Return the driver's block for one project, made from its manifest."""
    manifest = json.loads((folder / "fpgaprune.json").read_text())
    streaming = manifest["interface"] == "stream"
    inputs, outputs = manifest["inputs"], manifest["outputs"]

    def declared(port):
        kind = f"{name}_{port['name']}_t"
        if streaming:
            return f"hls::stream<fpgaprune::Beat<{kind}, {port['words']}>> {port['name']};"
        return f"{kind} {port['name']}[{port['words']}];"

    def count(port):
        return port["beats"] if streaming else port["words"]

    return CHECK.format(
        folder=folder,
        name=name,
        samples=samples,
        declare=" ".join(declared(port) for port in (*inputs, *outputs)),
        take=" ".join(f"take(in, {port['name']}, {count(port)});" for port in inputs),
        call=", ".join(port["name"] for port in (*inputs, *outputs)),
        compare=" ".join(f"wrong += differ(want, {port['name']}, {count(port)});" for port in outputs),
    )


def mismatches(tmp_path, graphs, interface, samples=24, planner=multiply):
    """Compile the networks, seed → graph, into one program and return name → differing words."""
    includes, checks, names = [], [], [f"net{seed}" for seed in graphs]
    for (seed, graph), name in zip(graphs.items(), names, strict=True):
        folder = tmp_path / name
        project(graph, random_inputs(graph, samples, seed), name, interface, planner).write(folder)
        includes.append((folder / "sim" / "design.cpp").read_text().replace("../src", f"{folder}/src"))
        checks.append(check_text(folder, name, samples))
    driver = tmp_path / "driver.cpp"
    driver.write_text(DRIVER.format(includes="\n".join(includes), checks="".join(checks), first=tmp_path / names[0]))
    headers = tmp_path / names[0] / "include" / "ap_types"
    flags = ["-std=c++14", "-O0", "-Wall", "-Wextra", "-Werror", "-DFPGAPRUNE_SIMULATION", "-isystem", str(headers)]
    command = [str(tools.require("g++")), *flags, "-o", str(tmp_path / "driver"), str(driver)]
    subprocess.run(command, check=True)
    ran = subprocess.run([str(tmp_path / "driver")], check=True, capture_output=True, text=True)
    return {name: int(wrong) for name, wrong in (line.split() for line in ran.stdout.splitlines())}


def exact(graphs):
    return {f"net{seed}": 0 for seed in graphs}


@pytest.mark.needs("g++")
@pytest.mark.parametrize("first", [0, 1000])
def test_random_networks_of_vectors_are_exact_in_c_simulation(tmp_path, first):
    graphs = {seed: random_graph(seed, length=7) for seed in range(first, first + 40)}
    assert mismatches(tmp_path, graphs, Interface.PARALLEL) == exact(graphs)


@pytest.mark.needs("g++")
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("first", range(0, 250, 50))
def test_random_networks_of_every_kind_are_exact_in_c_simulation(tmp_path, first, interface):
    graphs = {seed: random_network_graph(seed) for seed in range(first, first + 50)}
    assert mismatches(tmp_path, graphs, interface) == exact(graphs)


PLANNERS = {
    "adders": adders_planner,
    "one lane": folded(1 << 20),
    "lanes": folded(3),
    "a lane a weight": folded(1),
    "fabric": folded(5, fabric=True),
    "one bank": folded(4, Access.MEMORIES),
    "banks": folded(4, Access.MEMORIES, 3),
}


@pytest.mark.needs("g++")
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("strategy", PLANNERS)
def test_every_strategy_computes_the_same_on_networks_of_every_kind(tmp_path, strategy, interface):
    start = 300 + 15 * list(PLANNERS).index(strategy)
    graphs = {seed: random_network_graph(seed) for seed in range(start, start + 15)}
    assert mismatches(tmp_path, graphs, interface, planner=PLANNERS[strategy]) == exact(graphs)


@pytest.mark.needs("g++")
@pytest.mark.parametrize("interface", list(Interface))
def test_strategies_mixed_in_one_network_are_exact(tmp_path, interface):
    graphs = {seed: random_network_graph(seed) for seed in range(600, 620)}
    assert mismatches(tmp_path, graphs, interface, planner=mixed(7)) == exact(graphs)


@pytest.mark.slow
@pytest.mark.needs("g++")
@pytest.mark.parametrize("first", range(10_000, 14_000, 100))
def test_thousands_of_random_networks_of_vectors_are_exact(tmp_path, first):
    graphs = {seed: random_graph(seed, length=7) for seed in range(first, first + 100)}
    assert mismatches(tmp_path, graphs, Interface.PARALLEL) == exact(graphs)


@pytest.mark.slow
@pytest.mark.needs("g++")
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("first", range(20_000, 25_000, 50))
def test_ten_thousand_random_networks_of_every_kind_are_exact(tmp_path, first, interface):
    graphs = {seed: random_network_graph(seed) for seed in range(first, first + 50)}
    assert mismatches(tmp_path, graphs, interface) == exact(graphs)
