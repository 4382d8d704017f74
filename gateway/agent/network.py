"""Network adapters with hardware behind them: ``/sys/class/net`` (kernel: testing/sysfs-class-net)."""

from pathlib import Path

from gateway.agent.sysfs import SYS, Values, as_name, entries, integer_of

_COUNTS = {
    "nic.rx_errors": Path("statistics/rx_errors"),
    "nic.link_flaps": Path("carrier_down_count"),
}


def network_values(sys: Path = SYS) -> Values:
    """Return ``nic.rx_errors@eth0``, ``nic.link_flaps@eth0`` of wired adapters; counts since the start.

    A radio link comes and goes with whoever carries the machine about; it is left out.
    """
    values: Values = {}
    for adapter in entries(sys / "class" / "net"):
        if not (adapter / "device").exists() or (adapter / "wireless").exists():
            continue
        for signal, file in _COUNTS.items():
            count = integer_of(adapter / file)
            if count is not None:
                values[f"{signal}@{as_name(adapter.name)}"] = count
    return values
