"""What a rule asks of the figures: a tree that is evaluated here, and printed for a Prometheus that asks the same.

    (figure(m.OLDEST_DUE) > 25 * figure(m.SLOT_SECONDS)).promql()
    'oldest_due_seconds > on (job, instance) group_left () (25 * platform_slot_seconds)'

Core. A comparison keeps what it holds for, with its left side's value; labels a right side has not are the left side's own.
Where one Prometheus watches several monitors, `job` and `instance` keep them apart.

Source: prometheus.io/docs/prometheus/latest/querying/operators; `increase` as in promql/functions.go (extrapolatedRate) of
Prometheus 2.42. Tests let promtool judge the same series.
"""

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from keeper.monitor.window import COUNT, SUM, LabelSet, Vector, Window
from state.metrics import Kind, Metric

_TARGET: Final = ("job", "instance")
"""Labels that a Prometheus adds to whatever it scrapes."""
_EXTRAPOLATED_MAX: Final = 1.1
"""Average distances between points that an increase reaches past its first and last one."""

Sign = Literal["<", "<=", ">", ">=", "==", "+", "-", "*", "/"]
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


class Expression(ABC):
    """A question with a value for each set of labels it holds for."""

    __slots__ = ()

    @abstractmethod
    def evaluate(self, window: Window) -> Vector:
        """Return its values now."""

    @abstractmethod
    def promql(self) -> str:
        """Return it as PromQL."""

    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Return the names of its values' labels."""

    @abstractmethod
    def series(self) -> Iterable[tuple[str, float]]:
        """Yield the series it reads, and how many seconds it looks back."""

    def __lt__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="<", right=other)

    def __le__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="<=", right=other)

    def __gt__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign=">", right=other)

    def __ge__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign=">=", right=other)

    def __add__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="+", right=other)

    def __sub__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="-", right=other)

    def __mul__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="*", right=other)

    def __rmul__(self, other: float) -> "Pair":
        return Pair(left=self, sign="*", right=other)

    def __truediv__(self, other: "Expression | float") -> "Pair":
        return Pair(left=self, sign="/", right=other)

    def when(self, condition: "Expression") -> "When":
        """Keep the values for whose labels a condition holds too."""
        return When(left=self, right=condition)

    def unless(self, condition: "Expression") -> "When":
        """Keep the values for whose labels a condition does not hold."""
        return When(left=self, right=condition, is_negated=True)

    def summed(self, *by: str) -> "Summed":
        """Add the values that agree in these labels."""
        return Summed(inner=self, by=by)

    def least(self, *by: str) -> "Least":
        """Return the least of the values that agree in these labels."""
        return Least(inner=self, by=by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Expression):
    """A metric's values."""

    metric: Metric
    where: tuple[tuple[str, str], ...] = ()
    """Labels and the value each must have."""
    suffix: str = ""

    @property
    def name(self) -> str:
        """Name of the series."""
        return self.metric.name + self.suffix

    def has_place(self, labels: LabelSet) -> bool:
        """Tell whether labels are those asked for."""
        return set(self.where) <= set(labels)

    def evaluate(self, window: Window) -> Vector:
        """Return the newest values."""
        return {
            labels: value
            for labels, value in window.now(self.name).items()
            if self.has_place(labels)
        }

    def promql(self) -> str:
        """Return a selector."""
        if not self.where:
            return self.name
        return (
            self.name
            + "{"
            + ",".join(f"{label}={_quoted(value)}" for label, value in self.where)
            + "}"
        )

    def labels(self) -> tuple[str, ...]:
        """Return the metric's."""
        return self.metric.labels

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield this one."""
        yield self.name, 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Over(Expression):
    """What became of a figure within a time."""

    function: Literal["max_over_time", "min_over_time", "increase"]
    figure: Figure
    range_s: float

    def evaluate(self, window: Window) -> Vector:
        """Return a value for each series with points in that time; an increase needs two of them."""
        found: Vector = {}
        for labels, points in window.past(self.figure.name, self.range_s):
            if not self.figure.has_place(labels):
                continue
            if self.function != "increase":
                choose = max if self.function == "max_over_time" else min
                found[labels] = choose(value for _at_s, value in points)
            elif len(points) > 1:
                found[labels] = _increase(points, window.now_s - self.range_s, window.now_s)
        return found

    def promql(self) -> str:
        """Return a function of a range selector."""
        return f"{self.function}({self.figure.promql()}[{duration(self.range_s)}])"

    def labels(self) -> tuple[str, ...]:
        """Return the metric's."""
        return self.figure.labels()

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield this one."""
        yield self.figure.name, self.range_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Expression):
    """Two sides, computed with or compared."""

    left: Expression
    sign: Sign
    right: Expression | float

    def evaluate(self, window: Window) -> Vector:
        """Return a value wherever both sides have one; of a comparison the left one, where it holds."""
        left = self.left.evaluate(window)
        found: Vector = {}
        right = None if isinstance(self.right, int | float) else self.right.evaluate(window)
        for labels, value in left.items():
            other = self.right if right is None else right.get(self._shared(labels))
            if not isinstance(other, int | float):
                continue
            if self.sign in _COMPARISONS:
                if _COMPARISONS[self.sign](value, other):
                    found[labels] = value
            else:
                found[labels] = _computed(value, self.sign, other)
        return found

    def promql(self) -> str:
        """Return both sides, and how their labels are matched."""
        left = _within(self.left)
        if isinstance(self.right, int | float):
            return f"{left} {self.sign} {self.right:.15g}"
        right = _within(self.right)
        if set(self.left.labels()) == set(self.right.labels()):
            return f"{left} {self.sign} {right}"
        return f"{left} {self.sign} on ({_listed(self.right.labels())}) group_left () {right}"

    def labels(self) -> tuple[str, ...]:
        """Return the left side's."""
        return self.left.labels()

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield both sides'."""
        yield from self.left.series()
        if isinstance(self.right, Expression):
            yield from self.right.series()

    def _shared(self, labels: LabelSet) -> LabelSet:
        assert isinstance(self.right, Expression)
        return _of(labels, self.right.labels())


@dataclass(frozen=True, slots=True, kw_only=True)
class When(Expression):
    """The left side's values where the right side has one; or, negated, where it has none."""

    left: Expression
    right: Expression
    is_negated: bool = False

    def evaluate(self, window: Window) -> Vector:
        """Return what is left of the left side."""
        holds = self.right.evaluate(window)
        return {
            labels: value
            for labels, value in self.left.evaluate(window).items()
            if (_of(labels, self.right.labels()) in holds) is not self.is_negated
        }

    def promql(self) -> str:
        """Return `and` or `unless`."""
        word = "unless" if self.is_negated else "and"
        return (
            f"{_within(self.left)} {word} on ({_listed(self.right.labels())}) {_within(self.right)}"
        )

    def labels(self) -> tuple[str, ...]:
        """Return the left side's."""
        return self.left.labels()

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield both sides'."""
        yield from self.left.series()
        yield from self.right.series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed(Expression):
    """The sums of values that agree in some labels."""

    inner: Expression
    by: tuple[str, ...] = ()

    def evaluate(self, window: Window) -> Vector:
        """Return a sum for each group; nothing of nothing."""
        found: Vector = {}
        for labels, value in self.inner.evaluate(window).items():
            group = _of(labels, self.by)
            found[group] = found.get(group, 0.0) + value
        return found

    def promql(self) -> str:
        """Return `sum by`."""
        return f"sum by ({_listed(self.by)}) ({self.inner.promql()})"

    def labels(self) -> tuple[str, ...]:
        """Return those that are left."""
        return self.by

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield the inner ones."""
        return self.inner.series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Least(Expression):
    """The least of values that agree in some labels."""

    inner: Expression
    by: tuple[str, ...] = ()

    def evaluate(self, window: Window) -> Vector:
        """Return the least of each group; nothing of nothing."""
        found: Vector = {}
        for labels, value in self.inner.evaluate(window).items():
            group = _of(labels, self.by)
            found[group] = min(found.get(group, math.inf), value)
        return found

    def promql(self) -> str:
        """Return `min by`."""
        return f"min by ({_listed(self.by)}) ({self.inner.promql()})"

    def labels(self) -> tuple[str, ...]:
        """Return those that are left."""
        return self.by

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield the inner ones."""
        return self.inner.series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude(Expression):
    """Values without their sign."""

    inner: Expression

    def evaluate(self, window: Window) -> Vector:
        """Return each value's distance from zero."""
        return {labels: abs(value) for labels, value in self.inner.evaluate(window).items()}

    def promql(self) -> str:
        """Return `abs`."""
        return f"abs({self.inner.promql()})"

    def labels(self) -> tuple[str, ...]:
        """Return the inner ones."""
        return self.inner.labels()

    def series(self) -> Iterable[tuple[str, float]]:
        """Yield the inner ones."""
        return self.inner.series()


def figure(metric: Metric, **where: str) -> Figure:
    """Return a metric's values, of the labels named."""
    assert metric.kind is not Kind.HISTOGRAM, "ask for its sum or count"
    assert set(where) <= set(metric.labels), metric.name
    return Figure(metric=metric, where=tuple(where.items()))


def highest(metric: Metric, range_s: float) -> Over:
    """Return the highest value within a time."""
    return Over(function="max_over_time", figure=figure(metric), range_s=range_s)


def lowest(metric: Metric, range_s: float) -> Over:
    """Return the lowest value within a time."""
    return Over(function="min_over_time", figure=figure(metric), range_s=range_s)


def increase(metric: Metric, range_s: float, **where: str) -> Over:
    """Return how much a counter grew within a time, across restarts of its process."""
    assert metric.kind is Kind.COUNTER, metric.name
    return Over(function="increase", figure=figure(metric, **where), range_s=range_s)


def mean(metric: Metric, range_s: float) -> Pair:
    """Return the mean of what a histogram counted within a time; not a number where it counted nothing."""
    assert metric.kind is Kind.HISTOGRAM, metric.name
    total, count = (
        Over(function="increase", figure=Figure(metric=metric, suffix=suffix), range_s=range_s)
        for suffix in (SUM, COUNT)
    )
    return total / count


def duration(seconds: float) -> str:
    """Return a time as PromQL writes it: whole milliseconds."""
    ms = round(seconds * 1000)
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"


def _increase(points: list[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Return a counter's growth, extended to the whole range as Prometheus does."""
    first_s, first = points[0]
    last_s, last = points[-1]
    growth = last - first
    before = first
    for _at_s, value in points:
        if value < before:  # its process began anew, from zero
            growth += before
        before = value
    sampled_s = last_s - first_s
    apart_s = sampled_s / (len(points) - 1)
    to_start_s, to_end_s = first_s - start_s, end_s - last_s
    if growth > 0 and first >= 0:
        to_start_s = min(to_start_s, sampled_s * first / growth)
    reach_s = sum(
        gap_s if gap_s < apart_s * _EXTRAPOLATED_MAX else apart_s / 2
        for gap_s in (to_start_s, to_end_s)
    )
    return growth * ((sampled_s + reach_s) / sampled_s)


def _computed(left: float, sign: str, right: float) -> float:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return left / right


def _of(labels: LabelSet, names: tuple[str, ...]) -> LabelSet:
    return tuple(pair for pair in labels if pair[0] in names)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join((*_TARGET, *names))


def _within(inner: Expression) -> str:
    text = inner.promql()
    return f"({text})" if isinstance(inner, Pair | When) else text


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
