from stress.analysis.causes.classes import OF_THE_CHAIN
from stress.model.attributes import Dimension, KnownFrom


def test_the_contracts_dimensions_are_all_there() -> None:
    contract = (
        "address label family client chain leaf issuer tls_version cipher key_group alpn sni "
        "resumed backend local_port stage time rate vantage"
    )

    assert {one.value for one in Dimension} >= set(contract.split())


def test_the_outcome_never_explains_and_the_chain_is_late() -> None:
    assert Dimension.STAGE.when is KnownFrom.OUTCOME
    assert all(one.when is KnownFrom.LATE for one in OF_THE_CHAIN)
    assert Dimension.CLIENT.when is KnownFrom.ASSIGNED
    assert Dimension.FAMILY.when is KnownFrom.EARLY


def test_an_address_names_a_cohort_before_its_family() -> None:
    assert Dimension.ADDRESS.priority < Dimension.LABEL.priority < Dimension.FAMILY.priority
