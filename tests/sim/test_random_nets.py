"""Random networks: the generated C++ computes what evaluate computes. Many networks share one compilation."""

from __future__ import annotations

import subprocess

import pytest

from fpgaprune import tools
from tests.graphs import random_graph, random_inputs
from tests.nets import project

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
      {call};
      {compare}
    }}
    std::cout << "{name} " << wrong << "\\n";
  }}
"""


def check_text(folder, name, samples):
    """Return the driver's block for one project, read off its header."""
    signature = next(line for line in (folder / "src" / "top.h").read_text().splitlines() if line.startswith("void"))
    ports = []
    for part in signature[signature.index("(") + 1 : -2].split(", "):
        kind, port = part.removeprefix("const ").split()
        ident, size = port[:-1].split("[")
        ports.append((part.startswith("const"), kind, ident, size))
    return CHECK.format(
        folder=folder,
        name=name,
        samples=samples,
        declare=" ".join(f"{kind} {ident}[{size}];" for _, kind, ident, size in ports),
        take=" ".join(f"take(in, {ident}, {size});" for reads, _, ident, size in ports if reads),
        call=f"{name}({', '.join(ident for _, _, ident, _ in ports)})",
        compare=" ".join(f"wrong += differ(want, {ident}, {size});" for reads, _, ident, size in ports if not reads),
    )


def mismatches(tmp_path, seeds, samples=24):
    """Compile the networks of all seeds into one program and return name → differing words."""
    includes, checks = [], []
    for seed in seeds:
        name, folder = f"net{seed}", tmp_path / f"net{seed}"
        graph = random_graph(seed, length=7)
        project(graph, random_inputs(graph, samples, seed), name).write(folder)
        sources = [*sorted((folder / "src" / "kernels").glob("*.cpp")), folder / "src" / "top.cpp"]
        includes += [f'#include "{source}"' for source in sources]
        checks.append(check_text(folder, name, samples))
    driver = tmp_path / "driver.cpp"
    text = DRIVER.format(includes="\n".join(includes), checks="".join(checks), first=tmp_path / f"net{seeds[0]}")
    driver.write_text(text)
    headers = tmp_path / f"net{seeds[0]}" / "include" / "ap_types"
    command = [str(tools.require("g++")), "-std=c++14", "-O0", "-Wall", "-Wextra", "-Werror", "-isystem", str(headers)]
    subprocess.run([*command, "-o", str(tmp_path / "driver"), str(driver)], check=True)
    ran = subprocess.run([str(tmp_path / "driver")], check=True, capture_output=True, text=True)
    return {name: int(wrong) for name, wrong in (line.split() for line in ran.stdout.splitlines())}


@pytest.mark.needs("g++")
@pytest.mark.parametrize("first", [0, 1000])
def test_random_networks_are_exact_in_c_simulation(tmp_path, first):
    seeds = range(first, first + 40)
    assert mismatches(tmp_path, seeds) == {f"net{seed}": 0 for seed in seeds}


@pytest.mark.slow
@pytest.mark.needs("g++")
@pytest.mark.parametrize("first", range(10_000, 14_000, 100))
def test_thousands_of_random_networks_are_exact_in_c_simulation(tmp_path, first):
    seeds = range(first, first + 100)
    assert mismatches(tmp_path, seeds) == {f"net{seed}": 0 for seed in seeds}
