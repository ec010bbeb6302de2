from stress.analysis.dimensions import OF_THE_CHAIN, Dimension, When


def test_the_contracts_dimensions_are_all_there() -> None:
    contract = (
        "address label family client chain leaf issuer tls_version cipher key_group alpn sni "
        "resumed backend local_port stage time rate vantage"
    )

    assert {one.value for one in Dimension} == set(contract.split())


def test_the_outcome_never_explains_and_the_chain_is_late() -> None:
    assert Dimension.STAGE.when is When.OUTCOME
    assert all(one.when is When.LATE for one in OF_THE_CHAIN)
    assert Dimension.CLIENT.when is When.ASSIGNED
    assert Dimension.FAMILY.when is When.EARLY


def test_an_address_names_a_cohort_before_its_family() -> None:
    assert Dimension.ADDRESS.priority < Dimension.LABEL.priority < Dimension.FAMILY.priority
