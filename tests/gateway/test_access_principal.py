"""What roles may, tenant by tenant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.principal import ALL_TENANTS, Principal, Role

TENANTS = st.sampled_from(["acme", "globex", ALL_TENANTS])
GRANTS = st.dictionaries(TENANTS, st.sampled_from(Role))


@given(GRANTS, TENANTS, st.sampled_from(Role))
def test_a_role_may_all_that_the_roles_below_it_may_and_only_where_it_is_granted(grants, tenant, role):
    principal = Principal("ada", grants)
    granted = [grants[key] for key in (tenant, ALL_TENANTS) if key in grants]
    expected = any(list(Role).index(has) >= list(Role).index(role) for has in granted)
    assert principal.may(role, tenant) == expected
    seen = principal.tenants(role)
    if tenant != ALL_TENANTS:
        assert expected == (seen is None or tenant in seen)


def test_nobody_is_granted_all_tenants_by_having_some():
    principal = Principal("ada", {"acme": Role.ADMIN})
    assert not principal.may(Role.VIEWER)
    assert principal.may_anywhere(Role.ADMIN)
    assert principal.tenants() == {"acme"}


@pytest.mark.parametrize("tenant", ["acme", ALL_TENANTS])
def test_without_a_grant_there_is_nothing(tenant):
    assert Principal("ada").role_in(tenant) is None
