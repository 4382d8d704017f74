"""What the registry tells of a device to whom, from files and from what was imported."""

from datetime import date

import pytest

from diagnostics.orders.registry import Coverage, DeviceEntry, Owner, Registry, SiteEntry
from gateway.access.principal import Principal, Role
from gateway.access.trail import NoTrail
from gateway.api.fleet import sites_of
from gateway.api.installed import Installed, devices_by_site
from gateway.registry_database import RegistryDatabase
from rules.symbols import DeviceId

WASHER, RACK, DISK = (DeviceId(*name.split("/")) for name in ("acme/pc/w", "acme/pc/rack", "acme/pc/disk"))
TODAY = date(2026, 3, 12)
ENGINEER = Principal("anna", {"acme": Role.ENGINEER})
VIEWER = Principal("vera", {"acme": Role.VIEWER})


class Looks(NoTrail):
    def __init__(self):
        self.seen = []

    def looked(self, caller, what, targets, **_):
        self.seen += [(caller.name, what, *target) for target in targets]
        return 1


@pytest.fixture
def registry(tmp_path):
    database = RegistryDatabase(tmp_path / "registry.db")
    with database.writing():
        database.put_sites([SiteEntry("hh", "Hafenstraße 12", "DE")])
        database.put_owners([Owner("o1", "Erika Mustermann", "+49 40 123")])
        database.put_devices(
            [
                DeviceEntry(RACK, site="hh"),
                DeviceEntry(DISK, parent="rack", site="hh"),
                DeviceEntry(WASHER, site="b"),
            ]
        )
    files = Registry(
        devices={WASHER: DeviceEntry(WASHER, "W9", owner="o1", site="hh", bought=date(2024, 5, 1))},
        coverages=[
            Coverage("warranty", "acme", model="W*", months=24, text="parts and labour"),
            Coverage("warranty", "acme", device=WASHER, ends=date(2025, 1, 1)),
        ],
    )
    yield database.behind(files)
    database.close()


def test_an_engineer_sees_the_owner_and_the_look_is_kept(registry):
    looks = Looks()
    entry = Installed(registry, ENGINEER, looks).entry(WASHER, None, TODAY)
    assert (entry.owner.name, entry.site.address) == ("Erika Mustermann", "Hafenstraße 12")
    assert [(term.ends, term.in_force(TODAY)) for term in entry.terms] == [
        (date(2025, 1, 1), False),
        (date(2026, 5, 1), True),
    ]
    assert looks.seen == [("anna", "device.look", "device:acme/pc/w", "acme")]


def test_a_viewer_sees_a_mask_and_a_stranger_nothing(registry):
    looks = Looks()
    entry = Installed(registry, VIEWER, looks).entry(WASHER, None, TODAY)
    assert (entry.owner.name, entry.owner.contact, entry.site.address) == ("E•••", "+•••", "H•••")
    stranger = Installed(registry, Principal("n", {"nord": Role.ADMIN}), looks)
    assert not stranger.knows(WASHER)
    assert stranger.entry(WASHER, None, TODAY) is None
    assert looks.seen == []


def test_what_stands_near_is_found_in_files_and_in_what_was_imported(registry):
    installed = Installed(registry, ENGINEER, NoTrail())
    assert installed.at_site("hh", "acme", 9) == [DISK, RACK, WASHER]
    assert installed.parts_of(RACK, 9) == [DISK]
    assert devices_by_site(registry) == {("acme", "hh"): 3}  # a file goes before what was imported
    assert sites_of(registry).site(WASHER) == "hh"
