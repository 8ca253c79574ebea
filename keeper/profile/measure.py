"""Run cases in the SVM and keep what they cost."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from keeper.profile.call import Cases
from keeper.profile.figures import InstructionFigures, Sample, summarize
from keeper.profile.sections import Section, section_names, spent
from keeper.profile.world import ProfileError
from programs.betting_platform.build import PROGRAM_SO, SOURCE, build


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilingBuild:
    """The program's source built with marks."""

    code: bytes
    names: tuple[str, ...]
    """Of the sections, by number."""


def committed_code() -> bytes:
    """Return the program that is measured."""
    return PROGRAM_SO.read_bytes()


def build_for_profiling(compiler: str = "ziglang") -> ProfilingBuild:
    """Build the source with its marks.

    Args:
        compiler: the package that has to be installed.

    Raises:
        ProfileError: the compiler is not installed.
        CompileError: with the compiler's words.
    """
    if importlib.util.find_spec(compiler) is None:
        raise ProfileError(
            "sections need the program's compiler, which is not installed: run `make setup` first"
        )
    names = section_names((SOURCE / "sections.h").read_text())
    return ProfilingBuild(code=build(defines=("PROFILE",)), names=names)


def measure(
    name: str, cases: Cases, runs: int, code: bytes, profiling: ProfilingBuild | None
) -> InstructionFigures:
    """Measure one instruction; with a profiling build, every case a second time there.

    Raises:
        ProfileError: a case was refused.
    """
    samples = _samples(name, cases, runs, code)
    if profiling is not None:
        sections = _sections(name, cases, runs, profiling)
        samples = [
            Sample(
                case=sample.case,
                cu=sample.cu,
                wire_bytes=sample.wire_bytes,
                accounts=sample.accounts,
                sections=found,
            )
            for sample, found in zip(samples, sections, strict=True)
        ]
    return summarize(name, samples)


def _samples(name: str, cases: Cases, runs: int, code: bytes) -> list[Sample]:
    samples = []
    for call in islice(cases(code), runs):
        try:
            measured = call.world.send([call.instruction], call.signers)
        except ProfileError as error:
            raise ProfileError(f"{name} ({call.case}) was refused: {error}") from error
        samples.append(
            Sample(
                case=call.case,
                cu=measured.cu,
                wire_bytes=measured.wire_bytes,
                accounts=measured.accounts,
                sections={},
            )
        )
    return samples


def _sections(
    name: str, cases: Cases, runs: int, profiling: ProfilingBuild
) -> Sequence[dict[str, Section]]:
    found = []
    for call in islice(cases(profiling.code), runs):
        try:
            measured = call.world.send([call.instruction], call.signers)
        except ProfileError as error:
            raise ProfileError(
                f"{name} ({call.case}) was refused when profiled: {error}"
            ) from error
        found.append(spent(measured.logs, call.world.program, profiling.names))
    return found
