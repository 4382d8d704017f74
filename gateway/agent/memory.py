"""Errors of memory modules: EDAC counts them where the machine has ECC memory and the kernel a driver.

``/sys/devices/system/edac/mc/mc*/{dimm,rank}*`` (kernel documentation, admin-guide/RAS). The counts begin
anew at each start of the machine.
"""

from pathlib import Path

from gateway.agent.sysfs import SYS, Values, as_name, entries, integer_of, text_of

_COUNTS = {
    "memory.corrected_errors": "dimm_ce_count",
    "memory.uncorrected_errors": "dimm_ue_count",
}


def memory_values(sys: Path = SYS) -> Values:
    """Return ``memory.corrected_errors@A1`` and ``memory.uncorrected_errors@A1`` of each module.

    A module is called as the driver labels it, which is what stands on the board where the board's maker
    has told; else by controller and number: ``mc0:dimm3``.
    """
    values: Values = {}
    for controller in entries(sys / "devices" / "system" / "edac" / "mc"):
        for module in entries(controller):
            if not module.name.startswith(("dimm", "rank")):
                continue
            place = f"{controller.name}:{module.name}"
            name = as_name(text_of(module / "dimm_label") or "") or place
            if f"memory.corrected_errors@{name}" in values:
                name = place  # a label given twice names neither
            for signal, file in _COUNTS.items():
                count = integer_of(module / file)
                if count is not None:
                    values[f"{signal}@{name}"] = count
    return values
