"""What the vendor's SDK can call, found out by looking into it, so that a newer one cannot go unnoticed."""

import re

import pytest
from polytomic import AsyncPolytomic, Polytomic

from contract.validator import Contract
from local.sdk.sdk import method_of, parameters_of, request_of

OPERATIONS = Contract.load().operations
WITHOUT_METHOD: set[str] = set()
WITHOUT_PARAMETER = {"listBulkSyncs": {"page_token", "limit"}}
"""Query parameters that the API has and the SDK's method has not; they go through its `request_options`."""


@pytest.mark.parametrize("client", [Polytomic(token="x"), AsyncPolytomic(token="x")], ids=["sync", "async"])
def test_the_sdk_has_a_method_for_every_operation_but_those_listed(client: Polytomic | AsyncPolytomic) -> None:
    methods = {name: method_of(client, entry.described["x-sdk-method"]) for name, entry in OPERATIONS.items()}
    assert {name for name, method in methods.items() if method is None} == WITHOUT_METHOD
    for name, method in methods.items():
        if method is not None:
            entry = OPERATIONS[name]
            assert request_of(method) == (entry.method, re.sub(r"\{[^}]*\}", "{}", entry.template)), name


def test_the_sdk_has_every_query_parameter_but_those_listed() -> None:
    client, lacking = Polytomic(token="x"), dict[str, set[str]]()
    for name, entry in OPERATIONS.items():
        given = {parameter for place, parameter in entry.parameters if place == "query"}
        left_out = given - parameters_of(method_of(client, entry.described["x-sdk-method"]))
        if left_out:
            lacking[name] = left_out
    assert lacking == WITHOUT_PARAMETER
