"""Numbers as people read them: 12.3 M, 98.4 ± 0.3 %, 2 min 5 s."""

from __future__ import annotations

PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
MISSING = "–"


def si(value: float | None, round_: bool = False) -> str:
    """Three digits and a decimal prefix; a dash for None and for 0, which stands for "not counted".

    With `round_`, trailing zeros are left out: "2 M" for an axis.
    """
    if not value:
        return MISSING
    for factor, prefix in PREFIXES:
        if abs(value) >= 0.9995 * factor:
            return f"{_three_digits(value / factor, round_)} {prefix}"
    return _three_digits(value, round_)


def percent(fraction: float | None, deviation: float | None = None, digits: int = 2) -> str:
    """A fraction in percent without the sign, with its standard deviation where there is one."""
    if fraction is None:
        return MISSING
    spread = f" ± {100 * deviation:.{digits}f}" if deviation is not None else ""
    return f"{100 * fraction:.{digits}f}{spread}"


def duration(seconds: float | None) -> str:
    """Seconds as "4.2 s", "2 min 5 s" or "3 h 20 min"."""
    if seconds is None:
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number of so many significant digits, without an exponent; a dash for None."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:.{digits}g}"


def _three_digits(value: float, round_: bool) -> str:
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if round_ and decimals else text
